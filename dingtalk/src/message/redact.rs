//! `Debug` for messages: their form, never their words.

use std::fmt::{Debug, Formatter, Result};

use super::{
    ActionCard, Button, ButtonRow, CardButtons, FeedLink, Link, Markdown, Message, Oa, OaBody,
    OaFigure, OaRow, RobotOut,
};

fn form(f: &mut Formatter<'_>, name: &str) -> Result {
    f.debug_struct(name).finish_non_exhaustive()
}

impl Debug for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, self.msgtype())
    }
}

impl Debug for RobotOut {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, self.msgtype())
    }
}

impl Debug for CardButtons {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Single(_) => f.write_str("Single"),
            Self::Several(row) => Debug::fmt(row, f),
        }
    }
}

impl Debug for ButtonRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ButtonRow")
            .field("orientation", &self.orientation)
            .field("buttons", &self.buttons.len())
            .finish()
    }
}

impl Debug for Markdown {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, "Markdown")
    }
}

impl Debug for Link {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, "Link")
    }
}

impl Debug for Button {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, "Button")
    }
}

impl Debug for ActionCard {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ActionCard")
            .field("buttons", &self.buttons)
            .finish_non_exhaustive()
    }
}

impl Debug for Oa {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, "Oa")
    }
}

impl Debug for OaBody {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, "OaBody")
    }
}

impl Debug for OaRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, "OaRow")
    }
}

impl Debug for OaFigure {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, "OaFigure")
    }
}

impl Debug for FeedLink {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        form(f, "FeedLink")
    }
}
