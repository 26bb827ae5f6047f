package bank

import (
	"strconv"
	"sync"

	"rsc.io/qr/coding"
)

// qrPlans are the layouts of QR codes by version, with 15 % of error correction
// and the first mask: making one takes ten times as long as filling it.
var qrPlans [coding.MaxVersion + 1]struct {
	once sync.Once
	plan *coding.Plan
	err  error
}

// QRSVG draws a payload as a QR code: an SVG of one black path on white, one unit per
// module, with the quiet zone of four modules (ISO/IEC 18004) and 15 % of error
// correction. It scales to the size that its place gives it.
func QRSVG(payload string) (string, error) {
	if payload == "" || len(payload) > 2000 {
		return "", length("a QR code here holds 1 to 2000 bytes")
	}
	text := coding.String(payload)
	version := coding.Version(coding.MinVersion)
	for version < coding.MaxVersion && text.Bits(version) > version.DataBytes(coding.M)*8 {
		version++
	}
	p := &qrPlans[version]
	p.once.Do(func() { p.plan, p.err = coding.NewPlan(version, coding.M, 0) })
	if p.err != nil {
		return "", p.err
	}
	code, err := p.plan.Encode(text)
	if err != nil {
		return "", format("the text does not fit into a QR code")
	}
	return drawQR(code), nil
}

// drawQR draws the rows as strokes through the middle of their modules, each
// from where the one before ended: a third of what boxes take.
func drawQR(code *coding.Code) string {
	const quiet = 4
	b := make([]byte, 0, 6<<10)
	number := func(before string, n int) { b = strconv.AppendInt(append(b, before...), int64(n), 10) }
	size := code.Size + 2*quiet
	number(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `, size)
	number(" ", size)
	number(`" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h`, size)
	number("v", size)
	b = append(b, `H0z"/><path stroke="#000" d="`...)
	for y := range code.Size {
		at := -1 // where the last stroke of the row ended
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if at < 0 {
				number("M", from+quiet)
				number(" ", y+quiet)
				b = append(b, ".5"...)
			} else {
				number("m", from-at)
				b = append(b, " 0"...)
			}
			number("h", x-from)
			at = x
		}
	}
	return string(append(b, `"/></svg>`...))
}
