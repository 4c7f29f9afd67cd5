//! Support of the stories.
