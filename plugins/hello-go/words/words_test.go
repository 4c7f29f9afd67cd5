package words

import (
	"math"
	"testing"
)

func TestCountingGoesOnFromWhatIsStored(t *testing.T) {
	for stored, expected := range map[string]uint32{
		"":           1,
		"1":          2,
		"41":         42,
		"many":       1,
		"4294967295": math.MaxUint32,
		"4294967296": 1,
	} {
		if got := Next([]byte(stored)); got != expected {
			t.Errorf("after %q comes %d and not %d", stored, got, expected)
		}
	}
}
