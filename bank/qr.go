package bank

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// QRSVG draws a payload as a QR code: an SVG of one black path on white, one unit per
// module, with the quiet zone of four modules (ISO/IEC 18004) and 15 % of error
// correction. It scales to the size that its place gives it.
func QRSVG(payload string) (string, error) {
	if payload == "" || len(payload) > 2000 {
		return "", length("a QR code here holds 1 to 2000 bytes")
	}
	code, err := qr.Encode(payload, qr.M)
	if err != nil {
		return "", format("the text does not fit into a QR code")
	}
	const quiet = 4
	size := code.Size + 2*quiet
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, size, size, size, size)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			fmt.Fprintf(&b, "M%d %dh%dv1H%dz", from+quiet, y+quiet, x-from, from+quiet)
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String(), nil
}
