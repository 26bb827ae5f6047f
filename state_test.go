package giro

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// contract lists the moves that the published pages allow, by what a movement
// shows; the table may allow less and nothing else.
var contract = map[Status][]Status{
	StatusPending:   {StatusPending, StatusSucceeded, StatusFailed, StatusOnHold, StatusCanceled},
	StatusOnHold:    {StatusOnHold, StatusPending, StatusSucceeded, StatusFailed, StatusCanceled},
	StatusSucceeded: {StatusSucceeded, StatusPending, StatusReturned, StatusRefunded},
	StatusReturned:  {StatusRefunded},
	StatusRefunded:  {StatusSucceeded},
}

// postings are what each effect posts for a kind: debit → credit.
var postings = map[Effect]map[Kind][2]Role{
	EffectMove: {
		KindCharge: {RoleClearing, RoleAvailable}, KindRefund: {RoleReserved, RoleClearing}, KindPayout: {RoleReserved, RoleClearing},
	},
	EffectRelease: {KindRefund: {RoleReserved, RoleAvailable}, KindPayout: {RoleReserved, RoleAvailable}, KindTransfer: {RoleReserved, RoleAvailable}},
	EffectReturn:  {KindRefund: {RoleClearing, RoleAvailable}, KindPayout: {RoleClearing, RoleReturns}},
	EffectCredit:  {KindPayout: {RoleReturns, RoleAvailable}},
}

// standing is a movement in one state, with the books that belong to it.
func standing(kind Kind, status Status, sent, doubt bool) (b *Batch, mer *Merchant, m, charge *Movement) {
	const amount = 1000
	ids := UUIDs()
	at := int64(1_770_000_000_000_000)
	mer = &Merchant{ID: ids(TimeOf(at)), Number: 1}
	book := BookOf(1, false)
	b = NewBatch(ids(TimeOf(at)), at, func(at int64) UUID { return ids(TimeOf(at)) }, func() uint32 { return 7 })
	b.PutHead(&BookHead{Book: book, Merchant: mer.ID, Sequence: 5, Events: 5, LedgerAt: at})
	for role, balance := range map[Role]int64{RoleAvailable: 5000, RoleReserved: 3000, RoleReturns: 3000, RolePending: 0, RoleClearing: -11_000} {
		name := ""
		if role == RoleClearing {
			name = "sandbox"
		}
		a := chartAccount(mer, book, "BRL", role, name)
		a.Balance, a.Version = balance, 1
		b.PutAccount(&a)
	}
	m = &Movement{ID: ids(TimeOf(at)), Book: book, Kind: kind, Status: status, Sent: sent, InDoubt: doubt, Amount: amount, Currency: "BRL", Created: at, Updated: at, Version: 3, Detail: Detail{Rail: "sandbox", Steps: 1}}
	if doubt {
		m.Detail.DoubtAt = at - 1
	}
	if kind == KindTransfer {
		m.Detail.Rail = ""
	}
	open := !status.Final()
	switch {
	case open && kind != KindCharge:
		m.Reserved = amount
	case status == StatusSucceeded:
		m.Captured = amount
	case status == StatusReturned || status == StatusRefunded:
		m.Captured, m.Refunded = amount, amount
	}
	if open && kind != KindTransfer {
		m.instruct(OpPayout, amount)
		if kind == KindCharge {
			m.Detail.Step.Amount = 400 // a part of it
		}
	}
	if kind == KindRefund {
		charge = &Movement{ID: ids(TimeOf(at)), Book: book, Kind: KindCharge, Status: StatusSucceeded, Amount: 1500, Captured: 1500, Currency: "BRL", Version: 1, Detail: Detail{Rail: "sandbox"}}
		if open {
			charge.Detail.RefundsOpen = amount
		}
		if status == StatusSucceeded {
			charge.Refunded = amount
		}
		m.Parent = charge.ID
		b.PutMovement(charge)
	}
	b.PutMovement(m)
	return b, mer, m, charge
}

// TestEveryCauseInEveryState makes each cause happen to each kind in each state.
// Where the table has a row, the move, its postings and its one event are those
// of the row; everywhere else it is refused and nothing happens.
func TestEveryCauseInEveryState(t *testing.T) {
	t.Parallel()
	var causes []Cause
	for _, r := range Moves {
		// These change amounts too; their functions are tested by the model.
		if !slices.Contains(causes, r.Cause) && !slices.Contains([]Cause{CauseRaise, CauseLower, CausePost, CauseReverse}, r.Cause) {
			causes = append(causes, r.Cause)
		}
	}
	causes = append(causes, CauseRefund) // in no row
	used := map[*Move]bool{}
	for _, kind := range Kinds {
		for _, status := range Statuses {
			for _, flags := range [][2]bool{{false, false}, {true, false}, {true, true}} {
				for _, cause := range causes {
					name := fmt.Sprintf("%s %s sent=%v in doubt=%v: %s", kind, status, flags[0], flags[1], cause)
					b, mer, m, charge := standing(kind, status, flags[0], flags[1])
					var row *Move
					for i := range Moves {
						r := &Moves[i]
						if slices.Contains([]byte(r.Kinds), kind[0]) && r.From == status && r.Cause == cause && (r.Sent == "" || (r.Sent == "sent") == flags[0]) {
							row = r
						}
					}
					before := m.clone()
					save := b.savepoint()
					err := b.change(mer, m, charge, cause)
					if row == nil {
						b.rollback(save)
						if !Is(err, CodeInvalidState) && !(flags[0] && Is(err, CodeInFlight)) {
							t.Errorf("%s: %v", name, err)
						}
						if m.Status != before.Status || m.Version != before.Version || len(b.writes.Events)+len(b.writes.Transactions) > 0 {
							t.Errorf("%s: refused, and something happened", name)
						}
						continue
					}
					used[row] = true
					if err != nil {
						t.Errorf("%s: %v", name, err)
						continue
					}
					checkMove(t, name, b, row, &before, m, charge, cause)
				}
			}
		}
	}
	for i := range Moves {
		if r := &Moves[i]; slices.Contains(causes, r.Cause) && !used[r] {
			t.Errorf("nothing makes %s happen to a %s that is %s", r.Cause, r.Kinds, r.From)
		}
	}
}

func checkMove(t *testing.T, name string, b *Batch, row *Move, before, m, charge *Movement, cause Cause) {
	t.Helper()
	if m.Status != row.To || !slices.Contains(contract[before.Status], m.Status) {
		t.Errorf("%s: became %s, the row says %s", name, m.Status, row.To)
	}
	if m.InDoubt && !m.Sent || m.Status.Final() && (m.Sent || m.Detail.Step != nil) {
		t.Errorf("%s: %s with sent %v, in doubt %v", name, m.Status, m.Sent, m.InDoubt)
	}
	if m.Refunded < 0 || m.Refunded > m.Captured || m.Captured > m.Amount {
		t.Errorf("%s: amount %d, captured %d, refunded %d", name, m.Amount, m.Captured, m.Refunded)
	}
	// What it posts.
	want, posts := postings[row.Effect][m.Kind]
	amount := int64(1000)
	if cause == CausePart {
		amount = 400
	}
	role := func(id UUID) Role { return b.accounts[id].Role }
	var got [][2]Role
	for _, tx := range b.writes.Transactions {
		for _, p := range tx.Postings {
			got = append(got, [2]Role{role(p.Debit), role(p.Credit)})
			if p.Amount != amount {
				t.Errorf("%s: posts %d, want %d", name, p.Amount, amount)
			}
		}
	}
	if posts && (len(got) != 1 || got[0] != want) || !posts && len(got) > 0 {
		t.Errorf("%s: posts %v, want %v", name, got, want)
	}
	if open := !m.Status.Final() && m.Kind != KindCharge; open != (m.Reserved == 1000) {
		t.Errorf("%s: reserves %d", name, m.Reserved)
	}
	// What it tells: one event of the movement per change that can be seen.
	events := 0
	for _, e := range b.writes.Events {
		if e.Object == m.ID {
			events++
		}
	}
	seen := m.Status != before.Status || m.InDoubt != before.InDoubt || m.Captured != before.Captured
	wantEvents := 0
	if seen {
		wantEvents = 1
	}
	if cause == CauseGivenUp {
		wantEvents = 2 // onhold, and the alarm
	}
	if events != wantEvents || (m.Version != before.Version) != (wantEvents > 0) {
		t.Errorf("%s: %d events, want %d; version %d after %d", name, events, wantEvents, m.Version, before.Version)
	}
	// What becomes of the charge of a refund.
	if charge == nil {
		return
	}
	open, given := int64(1000), int64(0)
	switch m.Status {
	case StatusSucceeded:
		open, given = 0, 1000
	case StatusFailed, StatusCanceled, StatusReturned:
		open, given = 0, 0
	}
	if charge.Detail.RefundsOpen != open || charge.Refunded != given {
		t.Errorf("%s: the charge says that %d is open and %d given back; want %d and %d", name, charge.Detail.RefundsOpen, charge.Refunded, open, given)
	}
}

// TestEveryWordInEveryOpenState lets a rail say each of its words, or nothing, of
// each kind that is open, whether the instruction is out or was overtaken. None
// is refused, for a job whose word is refused would ask for it for ever.
func TestEveryWordInEveryOpenState(t *testing.T) {
	t.Parallel()
	words := []Outcome{
		{Verdict: VerdictPending}, {Verdict: VerdictPending, Awaits: true}, {Verdict: VerdictPending, Next: &NextAction{Type: "pix"}},
		{Verdict: VerdictAuthorised}, {Verdict: VerdictSucceeded}, {Verdict: VerdictFailed}, {Verdict: VerdictCanceled},
		{Verdict: VerdictReturned}, {Verdict: VerdictRefunded}, {Verdict: VerdictOnHold}, {Verdict: VerdictAbsent}, {},
	}
	for _, kind := range []Kind{KindCharge, KindRefund, KindPayout} {
		for _, status := range []Status{StatusPending, StatusOnHold} {
			for _, flags := range [][2]bool{{false, false}, {true, false}, {true, true}} {
				for _, out := range words {
					if kind != KindCharge && out.Verdict == VerdictAuthorised || kind == KindCharge && (out.Verdict == VerdictReturned || out.Verdict == VerdictRefunded) {
						continue // not a word of such a rail
					}
					name := fmt.Sprintf("%s %s sent=%v in doubt=%v: %+v", kind, status, flags[0], flags[1], out)
					b, mer, m, charge := standing(kind, status, flags[0], flags[1])
					var railErr error
					if out.Verdict == "" {
						railErr = ErrClosed
					}
					e := &Engine{DoubtDeadline: 24 * time.Hour}
					before := m.clone()
					if err := e.hear(b, mer, m, charge, true, out, railErr); err != nil {
						t.Errorf("%s: %v", name, err)
						continue
					}
					job := b.jobs[JobKey{m.ID, JobRail}]
					switch {
					case m.Sent && job == nil:
						t.Errorf("%s: it is sent, and nobody will ask again", name)
					case m.InDoubt && !m.Sent:
						t.Errorf("%s: in doubt of what was not sent", name)
					case out.Verdict.final() && kind != KindCharge && !m.Status.Final():
						t.Errorf("%s: still %s", name, m.Status)
					case !flags[0] && !out.Verdict.final() && (m.Status != before.Status || m.Version != before.Version):
						t.Errorf("%s: what was overtaken made it %s", name, m.Status)
					}
				}
			}
		}
	}
}
