package giro

// Cause is what happened to a movement, or what somebody asks for. Together
// with where the movement stands it decides the next state: the table below is
// the only place where that is written.
type Cause string

const (
	// A person's or a client's wish. Refused while an instruction is out.
	CauseCancel   Cause = "cancel"
	CauseRelease  Cause = "release"
	CauseConfirm  Cause = "confirm"   // manual rail: it has moved
	CauseReject   Cause = "reject"    // manual rail: it did not
	CauseCapture  Cause = "capture"   // collect what is left of a charge
	CauseRaise    Cause = "raise"     // a greater amount
	CauseLower    Cause = "lower"     // a smaller one
	CauseRefund   Cause = "refund"    // a refund of the charge begins
	CausePost     Cause = "post"      // two-phase transfer: move what is reserved
	CauseReverse  Cause = "reverse"   // give a transfer back
	CauseGiveBack Cause = "give_back" // credit a returned payout to the merchant

	// The machinery.
	CauseSubmit Cause = "submit" // the instruction is about to be handed over
	CauseExpire Cause = "expire"
	CauseHold   Cause = "hold"

	// The rail's word.
	CauseTaken      Cause = "taken"      // it has the instruction
	CauseAuthorised Cause = "authorised" // held, not captured
	CausePart       Cause = "part"       // a part was captured
	CausePaid       Cause = "paid"       // all of it moved
	CauseDeclined   Cause = "declined"
	CauseWithdrawn  Cause = "withdrawn" // the rail canceled it
	CauseHeld       Cause = "held"      // not taken, waits for a person here
	CauseAwaits     Cause = "awaits"    // registered; the payer or a person acts next
	CauseAbsent     Cause = "absent"    // proof that it never arrived
	CauseLost       Cause = "lost"      // no answer: the outcome is unknown
	CauseGivenUp    Cause = "given_up"  // unknown past the deadline
	CauseSentBack   Cause = "sent_back" // moved, and came back
)

// Effect is what a move does to the ledger; chart.go's table in docs/ledger.md
// names the accounts.
type Effect string

const (
	EffectNone    Effect = ""
	EffectMove    Effect = "move"    // what was asked for leaves or enters
	EffectRelease Effect = "release" // what was reserved is free again
	EffectReturn  Effect = "return"  // what moved comes back
	EffectCredit  Effect = "credit"  // returns → available
	EffectReserve Effect = "reserve"
	EffectReverse Effect = "reverse"
)

// flag is the change of Sent or InDoubt.
type flag byte

const (
	keep flag = iota
	set
	clear
)

// Move is a row of the state table.
type Move struct {
	Kinds  string // of c, r, p, t
	From   Status
	Sent   string // "", "sent" or "unsent": when the row holds
	Cause  Cause
	To     Status
	Effect Effect
	Event  string // what the event is named; empty: no event
	sent   flag
	doubt  flag
}

// Moves is the state machine of the four movements. Anything that is not in it
// is refused: in_flight where the same wish would be granted had nothing been
// sent, invalid_state otherwise. A charge of which a part was captured never
// becomes failed or canceled: see settleRest.
var Moves = []Move{
	// Towards the rail.
	{"crp", StatusPending, "unsent", CauseSubmit, StatusPending, EffectNone, "", set, keep},
	{"crp", StatusPending, "sent", CauseTaken, StatusPending, EffectNone, "", keep, clear},
	{"crp", StatusPending, "sent", CauseAwaits, StatusPending, EffectNone, "", clear, clear},
	{"c", StatusPending, "sent", CauseAuthorised, StatusPending, EffectNone, "", clear, clear},
	{"crp", StatusPending, "sent", CauseHeld, StatusOnHold, EffectNone, "onhold", clear, clear},
	{"crp", StatusPending, "sent", CauseLost, StatusPending, EffectNone, "in_doubt", keep, set},
	{"crp", StatusPending, "sent", CauseGivenUp, StatusOnHold, EffectNone, "onhold", keep, set},
	{"crp", StatusPending, "sent", CauseAbsent, StatusPending, EffectNone, "", clear, clear},
	{"crp", StatusOnHold, "sent", CauseAbsent, StatusPending, EffectNone, "released", clear, clear},
	{"crp", StatusOnHold, "sent", CauseTaken, StatusPending, EffectNone, "released", keep, clear},
	{"crp", StatusOnHold, "sent", CauseLost, StatusOnHold, EffectNone, "", keep, set},
	{"crp", StatusOnHold, "sent", CauseHeld, StatusOnHold, EffectNone, "", clear, clear},
	{"crp", StatusOnHold, "sent", CauseAwaits, StatusPending, EffectNone, "released", clear, clear},
	{"c", StatusOnHold, "sent", CauseAuthorised, StatusPending, EffectNone, "released", clear, clear},

	// The rail's word is final whether or not giro knew that it had been sent.
	{"c", StatusPending, "", CausePart, StatusPending, EffectMove, "captured", clear, clear},
	{"c", StatusOnHold, "", CausePart, StatusPending, EffectMove, "captured", clear, clear},
	{"crp", StatusPending, "", CausePaid, StatusSucceeded, EffectMove, "succeeded", clear, clear},
	{"crp", StatusPending, "", CauseDeclined, StatusFailed, EffectRelease, "failed", clear, clear},
	{"crp", StatusPending, "", CauseWithdrawn, StatusCanceled, EffectRelease, "canceled", clear, clear},
	{"crp", StatusOnHold, "", CausePaid, StatusSucceeded, EffectMove, "succeeded", clear, clear},
	{"crp", StatusOnHold, "", CauseDeclined, StatusFailed, EffectRelease, "failed", clear, clear},
	{"crp", StatusOnHold, "", CauseWithdrawn, StatusCanceled, EffectRelease, "canceled", clear, clear},
	{"rp", StatusSucceeded, "", CauseSentBack, StatusReturned, EffectReturn, "returned", clear, clear},

	// A person, or the merchant's program.
	{"crpt", StatusPending, "unsent", CauseCancel, StatusCanceled, EffectRelease, "canceled", keep, keep},
	{"crp", StatusOnHold, "unsent", CauseCancel, StatusCanceled, EffectRelease, "canceled", keep, keep},
	{"ct", StatusPending, "unsent", CauseExpire, StatusCanceled, EffectRelease, "canceled", keep, keep},
	{"crp", StatusPending, "unsent", CauseHold, StatusOnHold, EffectNone, "onhold", keep, keep},
	{"crp", StatusOnHold, "unsent", CauseRelease, StatusPending, EffectReserve, "released", keep, keep},
	{"crp", StatusPending, "unsent", CauseConfirm, StatusSucceeded, EffectMove, "succeeded", keep, keep},
	{"crp", StatusOnHold, "unsent", CauseConfirm, StatusSucceeded, EffectMove, "succeeded", keep, keep},
	{"crp", StatusPending, "unsent", CauseReject, StatusFailed, EffectRelease, "failed", keep, keep},
	{"crp", StatusOnHold, "unsent", CauseReject, StatusFailed, EffectRelease, "failed", keep, keep},
	{"c", StatusPending, "unsent", CauseCapture, StatusPending, EffectNone, "", set, keep},
	{"c", StatusPending, "unsent", CauseRaise, StatusPending, EffectNone, "updated", keep, keep},
	{"c", StatusSucceeded, "", CauseRaise, StatusPending, EffectNone, "updated", keep, keep},
	{"crpt", StatusPending, "unsent", CauseLower, StatusPending, EffectNone, "updated", keep, keep},
	{"rpt", StatusPending, "unsent", CauseRaise, StatusPending, EffectNone, "updated", keep, keep},
	{"rp", StatusOnHold, "unsent", CauseLower, StatusOnHold, EffectNone, "updated", keep, keep},
	{"p", StatusOnHold, "unsent", CauseRaise, StatusOnHold, EffectNone, "updated", keep, keep},
	{"p", StatusReturned, "", CauseGiveBack, StatusRefunded, EffectCredit, "refunded", keep, keep},
	{"t", StatusPending, "", CausePost, StatusSucceeded, EffectMove, "succeeded", keep, keep},
	{"t", StatusSucceeded, "", CauseReverse, StatusSucceeded, EffectReverse, "updated", keep, keep},
}

// fromRail reports whether the cause is a rail's word, which may come late.
func (c Cause) fromRail() bool {
	switch c {
	case CauseTaken, CauseAuthorised, CausePart, CausePaid, CauseDeclined, CauseWithdrawn, CauseHeld, CauseAwaits, CauseAbsent, CauseLost, CauseGivenUp, CauseSentBack:
		return true
	}
	return false
}

// movesByCause is Moves by kind, status and cause; built once.
var movesByCause = func() map[[3]string][]*Move {
	t := map[[3]string][]*Move{}
	for i := range Moves {
		r := &Moves[i]
		for _, k := range r.Kinds {
			key := [3]string{string(k), string(r.From), string(r.Cause)}
			t[key] = append(t[key], r)
		}
	}
	return t
}()

// Next returns the row of the table for a cause, or the refusal.
func (m *Movement) Next(cause Cause) (*Move, error) {
	rows := movesByCause[[3]string{string(m.Kind[0]), string(m.Status), string(cause)}]
	if m.Kind == KindTransfer {
		rows = movesByCause[[3]string{"t", string(m.Status), string(cause)}]
	}
	for _, r := range rows {
		switch r.Sent {
		case "":
			return r, nil
		case "sent":
			if m.Sent {
				return r, nil
			}
		case "unsent":
			if !m.Sent {
				return r, nil
			}
		}
	}
	if len(rows) > 0 && m.Sent && !cause.fromRail() {
		return nil, Refuse(CodeInFlight, "", "the "+string(m.Kind)+" is on its way at the rail; wait for its outcome")
	}
	return nil, Refuse(CodeInvalidState, "", "a "+string(m.Kind)+" that is "+string(m.Status)+" cannot "+string(cause))
}

// enter makes the move: status and flags, not the ledger and not the event.
func (m *Movement) enter(r *Move) {
	m.Status = r.To
	switch r.sent {
	case set:
		m.Sent = true
	case clear:
		m.Sent = false
	}
	switch r.doubt {
	case set:
		m.InDoubt = true
	case clear:
		m.InDoubt = false
	}
}

// Final reports whether a status has no way on but a return or a refund.
func (s Status) Final() bool { return s != StatusPending && s != StatusOnHold }
