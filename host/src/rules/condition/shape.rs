//! What an expression is made of, and what its evaluation can cost.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use serde_json::Value;

use super::{ConditionError, MAX_SOURCE, within};

/// Operators, fields and values of an expression, after its macros are written out.
const MAX_NODES: u32 = 800;
/// How deep they may stand in each other: evaluation calls itself that often.
const MAX_DEPTH: u32 = 64;
/// How deep `all`, `exists`, `map` and their like may stand in each other.
const MAX_LOOPS: u32 = 2;
/// Steps that one evaluation may take at worst, see [`Shape::work`].
const MAX_WORK: u128 = 1 << 30;

/// How large an event is to a condition.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    bytes: u64,
    longest: u64,
}

impl Weight {
    pub(super) fn of(value: &Value) -> Self {
        let mut weight = Self::default();
        weight.add(value);
        weight
    }

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
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Shape {
    nodes: u32,
    depth: u32,
    loops: u32,
    /// Places that put values together: sums, and what lists and maps are written of unless it is literal.
    joints: u64,
    /// Literals that lists and maps are written of.
    literals: u64,
}

impl Shape {
    /// Looks at an expression, and notes the fields of the event that it reads.
    pub(super) fn of(expression: &IdedExpr, reads: &mut BTreeSet<Vec<String>>) -> Self {
        let mut shape = Self::default();
        shape.measure(expression, 1, 0, reads);
        shape
    }

    /// Whether an expression of this shape is small enough.
    pub(super) fn check(&self) -> Result<(), ConditionError> {
        within("parts", self.nodes as usize, MAX_NODES as usize)?;
        within("levels", self.depth as usize, MAX_DEPTH as usize)?;
        within(
            "loops in each other",
            self.loops as usize,
            MAX_LOOPS as usize,
        )
    }

    /// Whether its evaluation on such an event certainly ends soon.
    pub(super) fn bears(&self, weight: Weight) -> bool {
        self.work(weight) <= MAX_WORK
    }

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

/// The text that an expression is.
pub(super) fn text(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
