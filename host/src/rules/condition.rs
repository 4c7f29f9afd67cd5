//! A `when` condition: a CEL expression over one event, bounded in size and in work.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use cel::{Env, ExecutionError, IdedExpr};
use serde_json::Value;

use crate::event::Facts;

/// Bytes of an expression.
const MAX_SOURCE: usize = 2_000;
/// Operators, fields and values of an expression, after its macros are written out.
const MAX_NODES: u32 = 800;
/// How deep they may stand in each other: evaluation calls itself that often.
const MAX_DEPTH: u32 = 64;
/// How deep `all`, `exists`, `map` and their like may stand in each other.
const MAX_LOOPS: u32 = 2;
/// Steps that one evaluation may take at worst, see [`Shape::work`].
const MAX_WORK: u128 = 1 << 30;

/// Built once: it holds every function of the language.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A CEL expression over the variable `event`. Clones share it, and a rule without one stays small.
#[derive(Clone)]
pub struct Condition(Arc<Compiled>);

struct Compiled {
    source: String,
    program: cel::Program,
    shape: Shape,
    pinned: Option<(String, String)>,
    reads: Vec<Vec<String>>,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.0.source)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.source)
    }
}

/// Why a text cannot be a condition.
#[derive(Debug, thiserror::Error)]
pub enum ConditionError {
    /// It is not CEL.
    #[error("is not a CEL expression: {0}")]
    Syntax(String),
    /// It could take too long on some event.
    #[error("is too large: it has {found} {what} and may have {most}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: usize,
        /// How much there may be.
        most: usize,
    },
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        within("bytes", source.len(), MAX_SOURCE)?;
        // The parser is not ours; what it does with odd texts must not end the process.
        let compiled = catch_unwind(AssertUnwindSafe(|| LANGUAGE.compile(source)))
            .map_err(|_| ConditionError::Syntax("the parser gave up".to_owned()))?;
        let program = compiled.map_err(|error| {
            // Below the first line the parser draws where it stopped, which needs a line of its own.
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            ConditionError::Syntax(first.trim_start_matches("ERROR: <input>:").to_owned())
        })?;
        let mut shape = Shape::default();
        let mut reads = BTreeSet::new();
        shape.measure(program.expression(), 1, 0, &mut reads);
        within("parts", shape.nodes as usize, MAX_NODES as usize)?;
        within("levels", shape.depth as usize, MAX_DEPTH as usize)?;
        within(
            "loops in each other",
            shape.loops as usize,
            MAX_LOOPS as usize,
        )?;
        Ok(Self(Arc::new(Compiled {
            source: source.to_owned(),
            pinned: pinned(program.expression()),
            program,
            shape,
            reads: reads.into_iter().collect(),
        })))
    }
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), ConditionError> {
    if found <= most {
        Ok(())
    } else {
        Err(ConditionError::TooLarge { what, found, most })
    }
}

/// An event as conditions see it, converted when the first one asks and then kept for the others.
pub struct Subject<'a> {
    facts: &'a Facts,
    seen: OnceCell<Result<Seen, String>>,
}

struct Seen {
    context: cel::Context<'static, 'static>,
    weight: Weight,
}

impl<'a> Subject<'a> {
    /// An event to be looked at.
    pub fn new(facts: &'a Facts) -> Self {
        Self {
            facts,
            seen: OnceCell::new(),
        }
    }

    /// The event.
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    fn seen(&self) -> Result<&Seen, String> {
        let seen = self.seen.get_or_init(|| {
            let mut context = cel::Context::with_env(Arc::clone(&LANGUAGE));
            context
                .add_variable("event", self.facts.as_json())
                .map_err(|_| "the event cannot be shown to conditions".to_owned())?;
            let mut weight = Weight::default();
            weight.add(self.facts.as_json());
            Ok(Seen { context, weight })
        });
        seen.as_ref().map_err(Clone::clone)
    }
}

impl Condition {
    /// Whether the condition holds; the error says why it could not be evaluated, which counts as no.
    pub fn holds(&self, subject: &Subject<'_>) -> Result<bool, String> {
        let seen = subject.seen()?;
        if self.0.shape.work(seen.weight) > MAX_WORK {
            return Err("the event is too large for this expression".to_owned());
        }
        let evaluate = AssertUnwindSafe(|| self.0.program.execute(&seen.context));
        match catch_unwind(evaluate) {
            Ok(Ok(cel::Value::Bool(holds))) => Ok(holds),
            Ok(Ok(other)) => Err(format!(
                "gives {:?} instead of true or false",
                other.type_of()
            )),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_panic) => Err("the evaluation gave up on a value".to_owned()),
        }
    }

    /// A field of the event and the one text that it must equal for the condition to hold: what an index can look up.
    pub(super) fn pinned(&self) -> Option<(&str, &str)> {
        let (field, text) = self.0.pinned.as_ref()?;
        Some((field, text))
    }

    /// The fields of the event that the condition names, with what they are in this event.
    pub fn looked_at(&self, facts: &Facts) -> Vec<(String, Option<Value>)> {
        self.0
            .reads
            .iter()
            .map(|path| {
                let found = path
                    .iter()
                    .try_fold(facts.as_json(), |value, part| value.get(part));
                (format!("event.{}", path.join(".")), found.cloned())
            })
            .collect()
    }

    /// What went wrong, in words of the expression: values come from messages and must not get into the log.
    fn explain(&self, error: &ExecutionError) -> String {
        match error {
            ExecutionError::NoSuchKey(key) if self.0.source.contains(key.as_str()) => {
                format!("there is no {key:?}")
            }
            ExecutionError::UndeclaredReference(name) => format!("there is no {name:?}"),
            ExecutionError::NotSupportedAsMethod { method, target } => {
                format!("{method:?} does not apply to {:?}", target.type_of())
            }
            ExecutionError::UnsupportedBinaryOperator(operator, a, b)
            | ExecutionError::Overflow(operator, a, b) => format!(
                "{operator:?} does not apply to {:?} and {:?}",
                a.type_of(),
                b.type_of()
            ),
            ExecutionError::ValuesNotComparable(a, b) => {
                format!("cannot compare {:?} and {:?}", a.type_of(), b.type_of())
            }
            ExecutionError::FunctionError { function, .. } => {
                format!("{function:?} does not work on this value")
            }
            _ => "a value does not fit the expression".to_owned(),
        }
    }
}

/// How large an event is to a condition.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    bytes: u64,
    longest: u64,
}

impl Weight {
    fn add(&mut self, value: &Value) {
        self.bytes += 8;
        match value {
            Value::String(text) => self.bytes += text.len() as u64,
            Value::Array(items) => {
                self.longest = self.longest.max(items.len() as u64);
                items.iter().for_each(|item| self.add(item));
            }
            Value::Object(entries) => {
                self.longest = self.longest.max(entries.len() as u64);
                for (key, value) in entries {
                    self.bytes += key.len() as u64;
                    self.add(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// What an evaluation can cost.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    nodes: u32,
    depth: u32,
    loops: u32,
    /// Places that put values together: sums, and what lists and maps are written of unless it is literal.
    joints: u64,
    /// Literals that lists and maps are written of.
    literals: u64,
}

impl Shape {
    /// The steps of an evaluation at worst: each part may touch everything that the joints can build up, once for each
    /// turn of the loops around it.
    fn work(&self, weight: Weight) -> u128 {
        let joints = u128::from(self.joints + 1);
        let bytes = u128::from(weight.bytes) + MAX_SOURCE as u128;
        let turns = u128::from(weight.longest.max(1)) * joints + u128::from(self.literals);
        u128::from(self.nodes)
            .saturating_mul(bytes)
            .saturating_mul(joints)
            .saturating_mul(turns.saturating_pow(self.loops))
    }

    fn element(&mut self, element: &IdedExpr) {
        if matches!(element.expr, Expr::Literal(_)) {
            self.literals += 1;
        } else {
            self.joints += 1;
        }
    }

    /// Walks the tree; notes the fields of the event that are read on the way.
    fn measure(
        &mut self,
        expression: &IdedExpr,
        depth: u32,
        loops: u32,
        reads: &mut BTreeSet<Vec<String>>,
    ) {
        let path = path(expression).unwrap_or_default();
        let length = u32::try_from(path.len().max(1)).unwrap_or(u32::MAX);
        self.nodes = self.nodes.saturating_add(length);
        self.depth = self.depth.max(depth.saturating_add(length - 1));
        self.loops = self.loops.max(loops);
        if let [_event, fields @ ..] = path.as_slice()
            && !fields.is_empty()
        {
            reads.insert(fields.to_vec());
            return;
        }
        let mut inner: Vec<&IdedExpr> = Vec::new();
        let mut looped: Vec<&IdedExpr> = Vec::new();
        match &expression.expr {
            Expr::Call(call) => {
                inner.extend(call.target.as_deref());
                inner.extend(&call.args);
                self.joints += u64::from(call.func_name == operators::ADD);
            }
            Expr::Select(select) => inner.push(&select.operand),
            Expr::List(list) => {
                list.elements
                    .iter()
                    .for_each(|element| self.element(element));
                inner.extend(&list.elements);
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    inner.extend(parts(&entry.expr));
                }
                inner.iter().for_each(|element| self.element(element));
            }
            Expr::Struct(structure) => {
                for entry in &structure.entries {
                    inner.extend(parts(&entry.expr));
                }
                inner.iter().for_each(|element| self.element(element));
            }
            Expr::Comprehension(comprehension) => {
                inner = vec![
                    &comprehension.iter_range,
                    &comprehension.accu_init,
                    &comprehension.result,
                ];
                looped = vec![&comprehension.loop_cond, &comprehension.loop_step];
            }
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
        for part in inner {
            self.measure(part, depth + 1, loops, reads);
        }
        for part in looped {
            self.measure(part, depth + 1, loops + 1, reads);
        }
    }
}

/// What an entry of a map or a structure is made of.
fn parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// The path that an expression such as `event.labels["team"]` spells.
fn path(expression: &IdedExpr) -> Option<Vec<String>> {
    match &expression.expr {
        Expr::Ident(name) if name == "event" => Some(vec![name.clone()]),
        Expr::Select(select) => {
            let mut path = path(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        Expr::Call(call) if call.func_name == operators::INDEX && call.target.is_none() => {
            let [of, at] = call.args.as_slice() else {
                return None;
            };
            let mut path = path(of)?;
            path.push(text(at)?.to_owned());
            Some(path)
        }
        _ => None,
    }
}

fn text(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// A part `event.FIELD == "text"` without which the whole cannot hold.
fn pinned(expression: &IdedExpr) -> Option<(String, String)> {
    let Expr::Call(call) = &expression.expr else {
        return None;
    };
    if call.func_name == operators::LOGICAL_AND {
        return call.args.iter().find_map(pinned);
    }
    let [left, right] = call.args.as_slice() else {
        return None;
    };
    if call.func_name != operators::EQUALS {
        return None;
    }
    let field = |side: &IdedExpr| match &side.expr {
        Expr::Select(select) if !select.test => {
            let is_event = matches!(&select.operand.expr, Expr::Ident(name) if name == "event");
            is_event.then(|| select.field.clone())
        }
        _ => None,
    };
    let (field, text) = match (field(left), text(right)) {
        (Some(field), Some(text)) => (field, text),
        _ => (field(right)?, text(left)?),
    };
    Some((field, text.to_owned()))
}

#[cfg(test)]
mod tests;
