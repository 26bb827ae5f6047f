package giro

// nextAction makes what the payer of a bank charge needs where no provider is
// asked: on the sandbox and the manual rail.
func nextAction(m *Movement, mer *Merchant) (*NextAction, error) {
	n := &NextAction{Type: m.Detail.Method, ExpiresAt: m.Detail.ExpiresAt / 1_000_000}
	return n, nil
}
