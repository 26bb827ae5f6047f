package rail_test

import (
	"context"
	"testing"
	"time"

	"giro"
	"giro/rail"
)

// memory is the sandbox's memory without a database.
type memory map[string]*giro.SandboxRow

func (m memory) SandboxRecord(_ context.Context, in giro.Instruction, change func(*giro.SandboxRow)) (giro.SandboxRow, error) {
	r := m[in.ID]
	if r == nil {
		r = &giro.SandboxRow{Instruction: in.ID, Verdict: giro.VerdictPending, Absent: true, Number: int64(len(m) + 1)}
		m[in.ID] = r
	}
	change(r)
	return *r, nil
}

// exchange is one question to the rail and what a caller gets: a verdict, or
// nothing.
type exchange struct {
	submit  bool
	after   time.Duration // since the first one
	verdict giro.Verdict  // "": no answer
	code    string
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ask(ctx context.Context, s *rail.Sandbox, in giro.Instruction, submit bool) (giro.Outcome, error) {
	if submit {
		return s.Submit(ctx, in)
	}
	return s.Lookup(ctx, in)
}

// TestOutcomesFollowFromWhatIsSent plays each published outcome of the sandbox.
func TestOutcomesFollowFromWhatIsSent(t *testing.T) {
	t.Parallel()
	submit := func(v giro.Verdict, code string) exchange { return exchange{true, 0, v, code} }
	later := func(after time.Duration, v giro.Verdict, code string) exchange {
		return exchange{false, after, v, code}
	}
	card := func(token string, op giro.Op) giro.Instruction {
		return giro.Instruction{Op: op, Amount: 1000, Currency: "BRL", Movement: &giro.Movement{Kind: giro.KindCharge, Detail: giro.Detail{Steps: 1, Card: &giro.Card{Token: token}}}}
	}
	payout := func(whole int64, currency string) giro.Instruction {
		amount := whole * 100
		if currency == "JPY" {
			amount = whole
		}
		in := giro.Instruction{Op: giro.OpPayout, Amount: amount, Movement: &giro.Movement{Kind: giro.KindPayout, Detail: giro.Detail{Steps: 1}}}
		switch currency {
		case "JPY":
			in.Currency = "JPY"
		default:
			in.Currency = "BRL"
		}
		return in
	}
	simulate := func(outcome string, in giro.Instruction) giro.Instruction {
		m := *in.Movement
		m.Detail.Simulate = outcome
		in.Movement = &m
		return in
	}
	refund := func(token string) giro.Instruction {
		return giro.Instruction{Op: giro.OpRefund, Amount: 1000, Currency: "BRL", Movement: &giro.Movement{Kind: giro.KindRefund, Detail: giro.Detail{Steps: 1}}, Charge: card(token, giro.OpCharge).Movement}
	}
	second := func(in giro.Instruction) giro.Instruction {
		m := *in.Movement
		m.Detail.Steps = 2
		in.Movement = &m
		return in
	}
	const soon = 2 * time.Second
	usual := []exchange{submit(giro.VerdictPending, ""), later(soon, giro.VerdictSucceeded, ""), later(time.Hour, giro.VerdictSucceeded, "")}
	for name, c := range map[string]struct {
		in   giro.Instruction
		plan []exchange
		done bool
	}{
		"the seeds' token":         {card("card_token", giro.OpCharge), []exchange{submit(giro.VerdictSucceeded, ""), submit(giro.VerdictSucceeded, "")}, true},
		"authorised only":          {card("tok_ok", giro.OpAuthorise), []exchange{submit(giro.VerdictAuthorised, "")}, true},
		"tok_auth":                 {card("tok_auth", giro.OpCharge), []exchange{submit(giro.VerdictAuthorised, "")}, true},
		"tok_declined":             {card("tok_declined", giro.OpCharge), []exchange{submit(giro.VerdictFailed, "declined"), submit(giro.VerdictFailed, "declined")}, false},
		"tok_insufficient_funds":   {card("tok_insufficient_funds", giro.OpCharge), []exchange{submit(giro.VerdictFailed, "insufficient_funds")}, false},
		"tok_expired":              {card("tok_expired", giro.OpCharge), []exchange{submit(giro.VerdictFailed, "expired")}, false},
		"tok_fraud":                {card("tok_fraud", giro.OpCharge), []exchange{submit(giro.VerdictFailed, "fraud")}, false},
		"tok_pending":              {card("tok_pending", giro.OpCharge), []exchange{submit(giro.VerdictPending, ""), later(48*time.Hour, giro.VerdictPending, "")}, false},
		"tok_timeout":              {card("tok_timeout", giro.OpCharge), []exchange{submit("", ""), later(time.Second, giro.VerdictSucceeded, "")}, true},
		"tok_timeout_failed":       {card("tok_timeout_failed", giro.OpCharge), []exchange{submit("", ""), later(time.Second, giro.VerdictFailed, "not_done")}, false},
		"what was held is taken":   {second(card("tok_declined", giro.OpCapture)), []exchange{submit(giro.VerdictSucceeded, "")}, true},
		"what was held is let go":  {second(card("tok_pending", giro.OpVoid)), []exchange{submit(giro.VerdictSucceeded, "")}, true},
		"a refund":                 {refund("tok_ok"), usual, true},
		"a refund that fails":      {refund("tok_refund_fail"), []exchange{submit(giro.VerdictPending, ""), later(soon, giro.VerdictFailed, "refund_failed")}, false},
		"a payout":                 {payout(10_000, "BRL"), usual, true},
		"…91 below 10,000":         {payout(9_991, "BRL"), usual, true},
		"…91":                      {payout(10_091, "BRL"), []exchange{submit(giro.VerdictPending, ""), later(soon, giro.VerdictFailed, "account_closed")}, false},
		"…91 without decimals":     {payout(10_091, "JPY"), []exchange{submit(giro.VerdictPending, ""), later(soon, giro.VerdictFailed, "account_closed")}, false},
		"…92":                      {payout(34_592, "BRL"), []exchange{submit(giro.VerdictPending, ""), later(soon, giro.VerdictFailed, "invalid_key")}, false},
		"…93, released":            {payout(10_093, "BRL"), []exchange{submit(giro.VerdictOnHold, ""), submit(giro.VerdictPending, ""), later(soon, giro.VerdictSucceeded, "")}, true},
		"…94":                      {payout(10_094, "BRL"), []exchange{submit(giro.VerdictPending, ""), later(soon, giro.VerdictReturned, "")}, true},
		"…95":                      {payout(10_095, "BRL"), []exchange{submit(giro.VerdictPending, ""), later(soon, giro.VerdictRefunded, "")}, true},
		"…96":                      {payout(10_096, "BRL"), []exchange{submit(giro.VerdictPending, ""), later(time.Hour, giro.VerdictPending, "")}, false},
		"…97":                      {payout(10_097, "BRL"), []exchange{submit("", ""), later(time.Second, giro.VerdictSucceeded, "")}, true},
		"…98":                      {payout(10_098, "BRL"), []exchange{submit("", ""), later(time.Second, giro.VerdictFailed, "not_done")}, false},
		"…99":                      {payout(10_099, "BRL"), []exchange{submit("", ""), later(time.Second, giro.VerdictAbsent, ""), submit("", ""), later(time.Second, giro.VerdictAbsent, ""), submit(giro.VerdictSucceeded, "")}, true},
		"asked before it was sent": {payout(10_000, "BRL"), append([]exchange{later(0, giro.VerdictAbsent, "")}, usual...), true},
		"simulated failure":        {simulate("failed:account_closed", payout(10_000, "BRL")), []exchange{submit(giro.VerdictFailed, "account_closed")}, false},
		"simulated decline":        {simulate("failed", card("tok_ok", giro.OpCharge)), []exchange{submit(giro.VerdictFailed, "declined")}, false},
		"simulated return":         {simulate("returned", payout(50, "BRL")), []exchange{submit(giro.VerdictPending, ""), later(soon, giro.VerdictReturned, "")}, true},
		"simulated, then captured": {second(simulate("failed", card("tok_ok", giro.OpCapture))), []exchange{submit(giro.VerdictSucceeded, "")}, true},
		"simulated unavailability": {simulate("unavailable", card("tok_ok", giro.OpCharge)), []exchange{submit("", ""), later(0, giro.VerdictAbsent, ""), submit("", ""), later(0, giro.VerdictAbsent, ""), submit(giro.VerdictSucceeded, "")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := memory{}
			s := &rail.Sandbox{Memory: m}
			c.in.ID = "x-1"
			submits, lookups := int64(0), int64(0)
			for i, step := range c.plan {
				c.in.Now = noon.Add(step.after)
				out, err := ask(t.Context(), s, c.in, step.submit)
				if step.submit {
					submits++
				} else {
					lookups++
				}
				if (err != nil) != (step.verdict == "") || err == nil && (out.Verdict != step.verdict || out.Code != step.code) {
					t.Fatalf("exchange %d: %s %s %v, want %q %s", i+1, out.Verdict, out.Code, err, step.verdict, step.code)
				}
				if out.Verdict == giro.VerdictFailed && out.Message == "" {
					t.Errorf("exchange %d: no words for %s", i+1, out.Code)
				}
			}
			if r := m["x-1"]; r.Submits != submits || r.Lookups != lookups || r.Done != c.done {
				t.Errorf("the log says %d submits, %d look-ups, done %v; want %d, %d, %v", r.Submits, r.Lookups, r.Done, submits, lookups, c.done)
			}
		})
	}
}

// TestATestCallOvertakesASubmission: what a test call decided about an instruction
// on its way holds when it arrives, and ends when it is released and comes again.
func TestATestCallOvertakesASubmission(t *testing.T) {
	t.Parallel()
	in := giro.Instruction{ID: "x-1", Now: noon, Op: giro.OpPayout, Amount: 10_000_00, Currency: "BRL", Movement: &giro.Movement{Kind: giro.KindPayout, Detail: giro.Detail{Steps: 1}}}
	for _, held := range []giro.Verdict{giro.VerdictOnHold, giro.VerdictPending} {
		m := memory{in.ID: {Instruction: in.ID, Verdict: held}}
		s := &rail.Sandbox{Memory: m}
		for _, submit := range []bool{false, true, false} {
			if out, err := ask(t.Context(), s, in, submit); err != nil || out.Verdict != held || out.After != 0 {
				t.Errorf("%s, submit %v: %+v, %v", held, submit, out, err)
			}
		}
		if out, err := s.Submit(t.Context(), in); err != nil || out.Verdict != giro.VerdictPending || out.After == 0 {
			t.Errorf("%s, released: %+v, %v", held, out, err)
		}
	}
}

// TestManualWaits: on the manual rail a person acts, whatever is asked.
func TestManualWaits(t *testing.T) {
	t.Parallel()
	for _, f := range []func(context.Context, giro.Instruction) (giro.Outcome, error){rail.Manual{}.Submit, rail.Manual{}.Lookup} {
		out, err := f(t.Context(), giro.Instruction{})
		if err != nil || out.Verdict != giro.VerdictPending || !out.Awaits {
			t.Errorf("%+v, %v", out, err)
		}
	}
}
