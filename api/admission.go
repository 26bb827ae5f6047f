package api

import (
	"runtime"

	"giro"
)

// refusing is how many requests are being refused for want of room at once.
const refusing = 2

// turnstile is where requests stand for which there is no room. They are refused
// few at a time, and each behind everything else that can run: refusing takes the
// processors from nobody who is served, least of all from the goroutine that
// commits, which would otherwise wait behind thousands.
type turnstile chan struct{}

// admit lets a request in, before its body is read, or says why not. One that
// found room when its turn came is let in.
func (t turnstile) admit(e *giro.Engine, m *giro.Merchant) error {
	if e.Busy(m) == nil {
		return nil
	}
	t <- struct{}{}
	defer func() { <-t }()
	runtime.Gosched()
	return e.Busy(m)
}
