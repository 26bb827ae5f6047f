package giro

// sandboxTokens are the card tokens that the sandbox knows, the seeds' first.
var sandboxTokens = map[string]bool{
	"card_token": true, "tok_ok": true, "tok_declined": true, "tok_insufficient_funds": true, "tok_expired": true,
	"tok_fraud": true, "tok_auth": true, "tok_pending": true, "tok_timeout": true, "tok_timeout_failed": true, "tok_refund_fail": true,
}

// SandboxTokens lists the card tokens of test mode.
func SandboxTokens() []string {
	return []string{"card_token", "tok_ok", "tok_declined", "tok_insufficient_funds", "tok_expired", "tok_fraud", "tok_auth", "tok_pending", "tok_timeout", "tok_timeout_failed", "tok_refund_fail"}
}

// knownToken refuses a card token that its rail does not have; another
// merchant's token is as unknown as one that never was.
func knownToken(m *Movement) error {
	if m.Detail.Card != nil && m.Detail.Rail == "sandbox" && !sandboxTokens[m.Detail.Card.Token] {
		return Refuse(CodeTokenInvalid, "/card/token", "there is no such card token")
	}
	return nil
}
