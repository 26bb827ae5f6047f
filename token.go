package giro

// sandboxCards are the cards of test mode by their tokens, the seeds' first.
var sandboxCards = []Card{
	{"card_token", "visa", "4242"},
	{"tok_ok", "visa", "4242"},
	{"tok_declined", "visa", "0002"},
	{"tok_insufficient_funds", "mastercard", "9995"},
	{"tok_expired", "mastercard", "0069"},
	{"tok_fraud", "elo", "0019"},
	{"tok_auth", "mastercard", "4444"},
	{"tok_pending", "visa", "3220"},
	{"tok_timeout", "amex", "0005"},
	{"tok_timeout_failed", "amex", "8431"},
	{"tok_refund_fail", "hipercard", "7726"},
}

// SandboxCard returns the card behind a token of test mode. Another merchant's
// token is as unknown as one that never was: token_invalid.
func SandboxCard(token string) (*Card, error) {
	for _, c := range sandboxCards {
		if c.Token == token {
			return &c, nil
		}
	}
	return nil, Refuse(CodeTokenInvalid, "/card/token", "there is no such card token")
}

// knowCard puts the card behind a token in the movement's place of it, or
// refuses a token that its rail does not have.
func (m *Movement) knowCard() (err error) {
	if m.Detail.Card != nil && m.Detail.Rail == "sandbox" {
		m.Detail.Card, err = SandboxCard(m.Detail.Card.Token)
	}
	return err
}
