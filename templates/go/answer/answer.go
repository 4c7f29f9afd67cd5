// Package answer decides what is answered. It knows nothing of belfry, so that its test runs natively.
package answer

// To gives the answer to a text, and whether there is one.
func To(text, nick string) (string, bool) {
	if text != "/{{name}}" {
		return "", false
	}
	return "Hello, " + nick + "!", true
}
