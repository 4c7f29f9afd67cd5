//! The part of a condition that an index can look up.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{Expr, operators};

use super::shape::{Shape, text};

/// An equation `event.FIELD == "text"` without which a condition cannot hold.
pub(crate) struct Pin {
    /// The field.
    pub field: String,
    /// What it must be.
    pub text: String,
    /// What else the condition asks; `None` if it is the equation alone.
    pub rest: Option<Arc<Rest>>,
}

/// A condition without its pin. Those of conditions that differ in their pins only are equal.
#[derive(Debug, PartialEq)]
pub(crate) struct Rest {
    pub(super) expression: IdedExpr,
    /// That of the whole, so that the whole and the rest are refused the same events.
    pub(super) shape: Shape,
}

impl Pin {
    pub(super) fn of(expression: &IdedExpr, shape: Shape) -> Option<Self> {
        let Split { field, text, rest } = split(expression)?;
        let rest = rest.map(|expression| Arc::new(Rest { expression, shape }));
        Some(Self { field, text, rest })
    }
}

struct Split {
    field: String,
    text: String,
    rest: Option<IdedExpr>,
}

fn split(expression: &IdedExpr) -> Option<Split> {
    let Expr::Call(call) = &expression.expr else {
        return None;
    };
    let [left, right] = call.args.as_slice() else {
        return None;
    };
    if call.func_name == operators::LOGICAL_AND {
        let (mut found, other) = match split(left) {
            Some(found) => (found, right),
            None => (split(right)?, left),
        };
        found.rest = Some(match found.rest {
            None => other.clone(),
            Some(rest) => {
                let mut whole = call.clone();
                whole.args = vec![rest, other.clone()];
                IdedExpr {
                    id: expression.id,
                    expr: Expr::Call(whole),
                }
            }
        });
        return Some(found);
    }
    if call.func_name != operators::EQUALS {
        return None;
    }
    let (field, text) = match (field(left), text(right)) {
        (Some(field), Some(text)) => (field, text),
        _ => (field(right)?, text(left)?),
    };
    Some(Split {
        field: field.to_owned(),
        text: text.to_owned(),
        rest: None,
    })
}

/// The field of the event that an expression is.
fn field(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Select(select) if !select.test => {
            let is_event = matches!(&select.operand.expr, Expr::Ident(name) if name == "event");
            is_event.then_some(select.field.as_str())
        }
        _ => None,
    }
}
