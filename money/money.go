// Package money holds exact amounts. An amount is an int64 in the minor unit of
// its currency (centavos, cents, whole yen); there are no floats anywhere. The
// package does no I/O and keeps no state.
package money

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
)

// Max is the largest amount of one request, in minor units. It leaves an int64
// room for the sum of 92,000 such amounts.
const Max int64 = 99_999_999_999_999

// What can be wrong with an amount.
var (
	ErrOverflow  = errors.New("amount out of range")
	ErrFormat    = errors.New("not a decimal amount")
	ErrPrecision = errors.New("more decimal places than the currency has")
	ErrTooLarge  = errors.New("amount too large")
	ErrTooSmall  = errors.New("amount not above zero")
)

// Add is a+b, or ErrOverflow.
func Add(a, b int64) (int64, error) {
	sum := a + b
	if (sum > a) != (b > 0) {
		return 0, ErrOverflow
	}
	return sum, nil
}

// Sub is a-b, or ErrOverflow.
func Sub(a, b int64) (int64, error) {
	diff := a - b
	if (diff < a) != (b > 0) {
		return 0, ErrOverflow
	}
	return diff, nil
}

// MulDiv is a*num/den through a product of 128 bits, rounded to the nearest, and
// from the exact middle to the even neighbour, so that fees and exchanges gain
// nothing by their rounding in the long run. den must not be 0: that, and a result
// that no int64 holds, is ErrOverflow.
func MulDiv(a, num, den int64) (int64, error) {
	quo, rem, neg, err := mulDiv(a, num, den)
	if err != nil {
		return 0, err
	}
	if d := magnitude(den); rem > d-rem || rem == d-rem && quo&1 == 1 {
		quo++ // cannot wrap: quo is at most 2^64-1 only if den is 1, and then rem is 0
	}
	return signed(quo, neg)
}

// MulDivFloor is MulDiv rounded towards minus infinity, for shares that must never
// add up to more than the whole.
func MulDivFloor(a, num, den int64) (int64, error) {
	quo, rem, neg, err := mulDiv(a, num, den)
	if err != nil {
		return 0, err
	}
	if neg && rem > 0 {
		quo++
	}
	return signed(quo, neg)
}

// mulDiv is |a*num| divided by |den|, and whether the true quotient is negative.
func mulDiv(a, num, den int64) (quo, rem uint64, neg bool, err error) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(num))
	d := magnitude(den)
	if hi >= d { // den is 0, or the quotient has more than 64 bits
		return 0, 0, false, ErrOverflow
	}
	quo, rem = bits.Div64(hi, lo, d)
	return quo, rem, (a < 0) != (num < 0) != (den < 0), nil
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n) // right for the smallest int64 too
	}
	return uint64(n)
}

func signed(m uint64, neg bool) (int64, error) {
	switch {
	case neg && m <= 1<<63:
		return -int64(m), nil // 1<<63 turns into the smallest int64, and so does its negative
	case !neg && m <= math.MaxInt64:
		return int64(m), nil
	}
	return 0, ErrOverflow
}

// Format writes an amount with exactly the decimal places of its currency:
// "1234.50", "-0.05", and "1234" for a currency without.
func Format(minor int64, c Currency) string {
	return FormatScale(minor, c, c.Exponent())
}

// FormatScale writes an amount with scale decimal places. More places than the
// currency has are zeros; fewer are given only where the dropped ones are all
// zero, else every place of the currency is written. The text is always exact.
func FormatScale(minor int64, c Currency, scale int) string {
	exp := c.Exponent()
	scale = max(scale, 0)
	m, places := magnitude(minor), exp
	for places > scale && m%10 == 0 {
		m /= 10
		places--
	}
	if places > scale {
		m, places = magnitude(minor), exp
	}
	b := make([]byte, 0, 24+scale)
	if minor < 0 {
		b = append(b, '-')
	}
	unit := pow10[places]
	b = strconv.AppendUint(b, m/unit, 10)
	if places > 0 || scale > 0 {
		b = append(b, '.')
	}
	for frac, p := m%unit, unit/10; p > 0; p /= 10 {
		b = append(b, '0'+byte(frac/p%10))
	}
	for ; places < scale; places++ {
		b = append(b, '0')
	}
	return string(b)
}

var pow10 = [...]uint64{1, 10, 100, 1_000, 10_000}

// Parse reads a positive decimal string ("98000.00", "300", "0.5") as minor units
// of c. A point must have digits on both sides; there is no sign, blank, thousands
// separator or exponent, and digits are ASCII: anything else is ErrFormat. Trailing
// zeros beyond the currency's places are allowed, other digits there are
// ErrPrecision. Zero, and a well-formed number behind one minus, is ErrTooSmall;
// above Max is ErrTooLarge. Where several hold, the first of format, too small,
// precision, too large is returned. It takes linear time and does not allocate.
func Parse(s string, c Currency) (int64, error) {
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		s = s[1:]
	}
	exp := c.Exponent()
	var (
		n       int64
		point   = -1
		tooFine bool
		nonZero bool
	)
	for i := range len(s) {
		b := s[i]
		if b == '.' && point < 0 && i > 0 && i < len(s)-1 {
			point = i
			continue
		}
		if b < '0' || b > '9' {
			return 0, ErrFormat
		}
		if b != '0' {
			nonZero = true
		}
		if point >= 0 && i-point > exp {
			tooFine = tooFine || b != '0'
			continue
		}
		if n <= Max { // stays above Max once it is: the rest is only read
			n = n*10 + int64(b-'0')
		}
	}
	if len(s) == 0 {
		return 0, ErrFormat
	}
	if neg || !nonZero {
		return 0, ErrTooSmall
	}
	if tooFine {
		return 0, ErrPrecision
	}
	places := 0
	if point >= 0 {
		places = min(len(s)-1-point, exp)
	}
	for ; places < exp && n <= Max; places++ {
		n *= 10
	}
	if n > Max {
		return 0, ErrTooLarge
	}
	return n, nil
}
