// Package words decides what is counted. It knows nothing of belfry, so that its test runs natively.
package words

import (
	"math"
	"strconv"
)

// Next is the number after a stored one, which is decimal text; what is no number of 32 bits counts as 0.
func Next(stored []byte) uint32 {
	number, err := strconv.ParseUint(string(stored), 10, 32)
	if err != nil {
		number = 0
	}
	return uint32(min(number+1, math.MaxUint32))
}
