//! What does TypeScript, and an editor that understands JavaScript, know of a plugin's world? One module an interface,
//! with the types that componentize-qjs gives and takes, and every comment of the contract.

use std::fmt::Write;

use wit_bindgen_core::wit_parser::{
    Docs, Function, Interface, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldId,
    WorldItem,
};

/// Names that WIT allows and JavaScript does not, for functions and parameters.
const RESERVED: &[&str] = &[
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// The declarations of a world.
pub(super) fn declarations(resolve: &Resolve, world: WorldId) -> String {
    let world = &resolve.worlds[world];
    let mut writer = Writer {
        resolve,
        text: "// Made from wit/ by `belfry plugin build`.\n".to_owned(),
    };
    for (items, is_export) in [(&world.imports, false), (&world.exports, true)] {
        for item in items.values() {
            if let WorldItem::Interface { id, .. } = item {
                writer.module(*id, is_export);
            }
        }
    }
    writer.text
}

struct Writer<'a> {
    resolve: &'a Resolve,
    text: String,
}

impl Writer<'_> {
    fn module(&mut self, id: InterfaceId, is_export: bool) {
        let interface = &self.resolve.interfaces[id];
        let Some(name) = self.resolve.id_of(id) else {
            return;
        };
        self.text.push('\n');
        self.docs(&interface.docs, 0, None);
        self.line(0, &format!("declare module \"{name}\" {{"));
        for (name, id) in &interface.types {
            self.definition(name, *id);
        }
        if is_export {
            self.export(interface);
        } else {
            for function in interface.functions.values() {
                let refusal = self.refusal(function).map(|error| {
                    format!("Throws an `Error` whose `payload` is the `{error}` of this module.")
                });
                self.docs(&function.docs, 2, refusal.as_deref());
                let name = camel(&function.name);
                let signature = self.signature(function);
                if RESERVED.contains(&name.as_str()) {
                    self.line(2, &format!("function {name}_{signature};"));
                    self.line(2, &format!("export {{ {name}_ as {name} }};"));
                } else {
                    self.line(2, &format!("export function {name}{signature};"));
                }
            }
            // Without this, what is not exported would be visible too.
            self.line(2, "export {};");
        }
        self.line(0, "}");
    }

    /// What the plugin's own object of that name must be.
    fn export(&mut self, interface: &Interface) {
        let name = pascal(interface.name.as_deref().unwrap_or_default());
        self.line(2, &format!("export interface {name} {{"));
        for function in interface.functions.values() {
            let refusal = self
                .refusal(function)
                .map(|error| format!("To fail, throw a `{error}`."));
            self.docs(&function.docs, 4, refusal.as_deref());
            let name = camel(&function.name);
            let signature = self.signature(function);
            self.line(4, &format!("{name}{signature};"));
        }
        self.line(2, "}");
    }

    fn definition(&mut self, name: &str, id: TypeId) {
        let definition = &self.resolve.types[id];
        self.docs(&definition.docs, 2, None);
        let name = pascal(name);
        let fields: Vec<(String, String, &Docs)> = match &definition.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                fields
                    .map(|field| (camel(&field.name), self.name(&field.ty), &field.docs))
                    .collect()
            }
            TypeDefKind::Flags(flags) => {
                let flags = flags.flags.iter();
                flags
                    .map(|flag| (camel(&flag.name), "boolean".to_owned(), &flag.docs))
                    .collect()
            }
            TypeDefKind::Variant(variant) => {
                self.line(2, &format!("export type {name} ="));
                for case in &variant.cases {
                    self.docs(&case.docs, 4, None);
                    let value = case
                        .ty
                        .as_ref()
                        .map_or_else(String::new, |ty| format!("; val: {}", self.name(ty)));
                    self.line(4, &format!("| {{ tag: \"{}\"{value} }}", case.name));
                }
                return;
            }
            TypeDefKind::Enum(cases) => {
                self.line(2, &format!("export type {name} ="));
                for case in &cases.cases {
                    self.docs(&case.docs, 4, None);
                    self.line(4, &format!("| \"{}\"", case.name));
                }
                return;
            }
            TypeDefKind::Type(Type::Id(used)) => {
                let used = self.elsewhere(*used);
                self.line(2, &format!("export type {name} = {used};"));
                return;
            }
            kind => {
                let kind = self.kind(kind);
                self.line(2, &format!("export type {name} = {kind};"));
                return;
            }
        };
        self.line(2, &format!("export interface {name} {{"));
        for (field, ty, docs) in fields {
            self.docs(docs, 4, None);
            self.line(4, &format!("{field}: {ty};"));
        }
        self.line(2, "}");
    }

    fn signature(&self, function: &Function) -> String {
        let parameters: Vec<String> = function
            .params
            .iter()
            .map(|parameter| {
                let mut name = camel(&parameter.name);
                if RESERVED.contains(&name.as_str()) {
                    name.push('_');
                }
                format!("{name}: {}", self.name(&parameter.ty))
            })
            .collect();
        let result = match &function.result {
            None => "void".to_owned(),
            Some(result) => match self.outcome(result) {
                Some((ok, _)) => ok.map_or_else(|| "void".to_owned(), |ok| self.name(&ok)),
                None => self.name(result),
            },
        };
        format!("({}): {result}", parameters.join(", "))
    }

    /// The type of the failures of a function that can fail.
    fn refusal(&self, function: &Function) -> Option<String> {
        let (_, error) = self.outcome(function.result.as_ref()?)?;
        Some(self.name(&error?))
    }

    fn outcome(&self, ty: &Type) -> Option<(Option<Type>, Option<Type>)> {
        let Type::Id(id) = ty else { return None };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Result(result) => Some((result.ok, result.err)),
            _ => None,
        }
    }

    /// A type as it is written where it is used.
    fn name(&self, ty: &Type) -> String {
        let text = match ty {
            Type::Bool => "boolean",
            Type::Char | Type::String => "string",
            Type::ErrorContext => "unknown",
            Type::Id(id) => {
                let definition = &self.resolve.types[*id];
                return match &definition.name {
                    Some(name) => pascal(name),
                    None => self.kind(&definition.kind),
                };
            }
            _ => "number",
        };
        text.to_owned()
    }

    /// A type without a name of its own.
    fn kind(&self, kind: &TypeDefKind) -> String {
        match kind {
            TypeDefKind::Option(ty) => format!("{} | null", self.name(ty)),
            TypeDefKind::List(Type::U8) => "Uint8Array".to_owned(),
            TypeDefKind::List(ty) | TypeDefKind::FixedLengthList(ty, _) => {
                format!("Array<{}>", self.name(ty))
            }
            TypeDefKind::Map(key, value) => {
                format!("Map<{}, {}>", self.name(key), self.name(value))
            }
            TypeDefKind::Tuple(tuple) => {
                let types: Vec<String> = tuple.types.iter().map(|ty| self.name(ty)).collect();
                format!("[{}]", types.join(", "))
            }
            TypeDefKind::Result(result) => {
                let value = |ty: &Option<Type>| {
                    ty.as_ref()
                        .map_or_else(String::new, |ty| format!("; val: {}", self.name(ty)))
                };
                format!(
                    "{{ tag: \"ok\"{} }} | {{ tag: \"err\"{} }}",
                    value(&result.ok),
                    value(&result.err)
                )
            }
            TypeDefKind::Type(ty) => self.name(ty),
            // The contract has no resources, streams and futures.
            _ => "unknown".to_owned(),
        }
    }

    /// A type of another interface.
    fn elsewhere(&self, id: TypeId) -> String {
        let definition = &self.resolve.types[id];
        let module = match definition.owner {
            TypeOwner::Interface(interface) => self.resolve.id_of(interface),
            _ => None,
        };
        match (module, &definition.name) {
            (Some(module), Some(name)) => format!("import(\"{module}\").{}", pascal(name)),
            _ => self.name(&Type::Id(id)),
        }
    }

    fn docs(&mut self, docs: &Docs, depth: usize, more: Option<&str>) {
        let lines: Vec<String> = docs
            .contents
            .iter()
            .flat_map(|text| text.lines())
            .chain(more)
            // Nothing in a comment may end it.
            .map(|line| line.trim().replace("*/", "* /"))
            .collect();
        match lines.as_slice() {
            [] => {}
            [line] => self.line(depth, &format!("/** {line} */")),
            lines => {
                self.line(depth, "/**");
                for line in lines {
                    self.line(depth, &format!(" * {line}"));
                }
                self.line(depth, " */");
            }
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.text, "{:depth$}{text}", "");
    }
}

/// `chat-message` as a type: `ChatMessage`.
fn pascal(name: &str) -> String {
    name.split('-').map(capital).collect()
}

/// `chat-message` as a field: `chatMessage`.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default();
    words.fold(first.to_owned(), |name, word| name + &capital(word))
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    match characters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + characters.as_str(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIT: &str = r#"package a:b@1.0.0;

interface shared {
  /// Who.
  type user-id = string;
  variant error {
    /// Not now.
    too-many(u32),
    gone,
  }
}

/// Says things.
interface talk {
  use shared.{error, user-id};
  enum tone { soft, very-loud }
  record note {
    /// Ends */ nothing.
    reply-to: option<user-id>,
    tones: list<tone>,
    bytes: list<u8>,
    pair: tuple<u32, bool>,
  }
  /// Says it.
  say-it: func(note: note, at: f64) -> result<string, error>;
  hush: func();
  delete: func(in: u32);
}

interface hear {
  use talk.{note};
  handle: func(note: note) -> result<_, string>;
}

world plugin {
  import talk;
  export hear;
}
"#;

    #[test]
    fn a_world_is_declared_with_its_comments() {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("a.wit", WIT).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        insta::assert_snapshot!(declarations(&resolve, world));
    }
}
