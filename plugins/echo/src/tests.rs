use super::*;

#[test]
fn words_are_echoed_commands_and_blanks_are_not() {
    for (text, echoed) in [
        ("hello", true),
        ("你好 / hi", true),
        ("", false),
        (" ", false),
        ("/leave 2d ill", false),
    ] {
        assert_eq!(is_echoed(text), echoed, "{text:?}");
    }
}

#[test]
fn it_asks_for_chat_messages_only() {
    let description = Echo::describe();
    assert_eq!(description.name, "echo");
    assert_eq!(description.subscriptions, [EventKind::ChatMessage]);
}
