package answer

import "testing"

func TestTheCommandIsAnsweredAndNothingElse(t *testing.T) {
	if got, _ := To("/{{name}}", "Alice"); got != "Hello, Alice!" {
		t.Errorf("got %q", got)
	}
	if got, ok := To("good morning", "Alice"); ok {
		t.Errorf("got %q, which nobody asked for", got)
	}
}
