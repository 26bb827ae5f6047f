package giro

// side returns an account of a movement for writing. Once the sub-account that
// the movement names is closed, the main account stands in for it: money that a
// rail brings afterwards is spendable and seen, and a closed account stays empty.
// Nothing is reserved on its closed side, as it is closed empty.
func (b *Batch) side(mer *Merchant, m *Movement, role Role) *Account {
	sub := m.Detail.Account
	if sub.IsZero() || sub == accountID(mer.ID, m.Book, m.Currency, RoleAvailable, "") || b.accountClosed(m) {
		name := ""
		if role == RoleClearing {
			name = m.clearing()
		}
		a := b.account(chartAccount(mer, m.Book, m.Currency, role, name))
		if role == RoleAvailable {
			a.allowNegative(mer.NegativeBalanceAllowed)
		}
		return a
	}
	switch role {
	case RoleAvailable:
		return b.touch(b.accounts[sub])
	case RoleReserved:
		return b.account(reservedSide(mer, &Account{ID: sub, Book: m.Book, Currency: m.Currency}))
	case RoleClearing:
		return b.account(chartAccount(mer, m.Book, m.Currency, role, m.clearing()))
	}
	return b.account(chartAccount(mer, m.Book, m.Currency, role, ""))
}

// accountClosed reports whether the account that a movement names is closed.
func (b *Batch) accountClosed(m *Movement) bool {
	a := b.accounts[m.Detail.Account]
	return a != nil && a.Closed
}

// allowNegative holds a main account to the merchant's setting, which may have
// changed since the account was opened. One that is below zero when the setting
// is taken back stays there until it is covered, and gives nothing more.
func (a *Account) allowNegative(allowed bool) {
	a.overdrawn = !allowed && a.Balance < 0
	if now := allowed || a.overdrawn; a.Negative != now {
		a.Negative, a.Dirty = now, true
	}
}

// clearing names the clearing account in the movement's own currency: its
// rail's, or that of exchanges.
func (m *Movement) clearing() string {
	if m.Detail.Exchange != nil {
		return exchangeClearing
	}
	return m.Detail.Rail
}

// sideKeys names the accounts that side may ask for.
func sideKeys(mer *Merchant, m *Movement) []UUID {
	id := func(role Role, name string) UUID { return accountID(mer.ID, m.Book, m.Currency, role, name) }
	keys := []UUID{id(RoleAvailable, ""), id(RoleReserved, ""), id(RoleClearing, m.clearing())}
	switch m.Kind {
	case KindCharge, KindRefund:
		keys = append(keys, id(RolePending, ""))
	case KindPayout:
		keys = append(keys, id(RoleReturns, ""))
	case KindTransfer:
		keys = append(keys, m.Detail.Destination)
	}
	if x := m.Detail.Exchange; x != nil {
		keys = append(keys, accountID(mer.ID, m.Book, x.Currency, RoleClearing, exchangeClearing), accountID(mer.ID, m.Book, x.Currency, RoleClearing, m.Detail.Rail))
	}
	if sub := m.Detail.Account; !sub.IsZero() {
		keys = append(keys, sub, reservedSideID(sub))
	}
	return keys
}

// reserve holds amount back on the movement's account. What a refund takes from
// the charge's unsettled money comes from pending first. Where the account was
// closed meanwhile, a payer still gets a refund, from the main account; nothing
// else that was asked of the closed one draws on another: CodeAccountClosed.
func (b *Batch) reserve(mer *Merchant, m, charge *Movement, amount int64) error {
	if m.Kind != KindRefund && b.accountClosed(m) {
		return Refuse(CodeAccountClosed, "", "the account is closed; cancel what waits for its money")
	}
	main, reserved := b.side(mer, m, RoleAvailable), b.side(mer, m, RoleReserved)
	var parts []entry
	if charge != nil && charge.Detail.Unsettled > 0 {
		from := min(charge.Detail.Unsettled, amount)
		parts = append(parts, entry{b.side(mer, m, RolePending), reserved, from})
		charge.Detail.Unsettled -= from
		m.Detail.FromPending += from
		parts = append(parts, entry{main, reserved, amount - from})
	} else {
		parts = append(parts, entry{main, reserved, amount})
	}
	if err := b.post(m.Book, m, "reserved", parts...); err != nil {
		return err
	}
	m.Reserved += amount
	return nil
}

// release gives back what is held, to where it came from.
func (b *Batch) release(mer *Merchant, m, charge *Movement, amount int64, cause string) error {
	reserved := b.side(mer, m, RoleReserved)
	back := min(m.Detail.FromPending, amount)
	if charge == nil || charge.Detail.SettleAt <= b.now(m.Book) {
		back = 0 // settled meanwhile: the money is available
	}
	var parts []entry
	if back > 0 {
		parts = append(parts, entry{reserved, b.side(mer, m, RolePending), back})
		charge.Detail.Unsettled += back
	}
	parts = append(parts, entry{reserved, b.side(mer, m, RoleAvailable), amount - back})
	m.Detail.FromPending -= min(m.Detail.FromPending, amount)
	m.Reserved -= amount
	return b.post(m.Book, m, cause, parts...)
}

// collect posts what a charge captured.
func (b *Batch) collect(mer *Merchant, m *Movement, amount int64) error {
	clearing := b.side(mer, m, RoleClearing)
	to := RoleAvailable
	if mer.SettlementDelaySeconds > 0 {
		to = RolePending
		m.Detail.Unsettled += amount
		m.Detail.SettleAt = b.now(m.Book) + mer.SettlementDelaySeconds*1_000_000
		b.schedule(Job{JobKey: JobKey{m.ID, JobSettle}, Book: m.Book, MovementKind: m.Kind}, m.Detail.SettleAt)
	}
	if err := b.post(m.Book, m, "captured", entry{clearing, b.side(mer, m, to), amount}); err != nil {
		return err
	}
	m.Captured += amount
	return b.exchange(mer, m, "captured", true)
}

// send posts that what was reserved has left (refund, payout) or arrived
// (transfer).
func (b *Batch) send(mer *Merchant, m *Movement) error {
	amount := m.Reserved
	m.Reserved, m.Captured = 0, m.Amount
	if err := b.post(m.Book, m, "succeeded", entry{b.side(mer, m, RoleReserved), b.side(mer, m, RoleClearing), amount}); err != nil {
		return err
	}
	return b.exchange(mer, m, "succeeded", false)
}

// change makes the table's move for a cause, with its postings and its event.
// charge is the refund's charge, nil for the other kinds.
func (b *Batch) change(mer *Merchant, m, charge *Movement, cause Cause) error {
	r, err := m.Next(cause)
	if err != nil {
		return err
	}
	wasDoubt := m.InDoubt
	switch r.Effect {
	case EffectMove:
		if m.Detail.Unfunded { // somebody says that it moved: it has to be covered
			if err = b.reserve(mer, m, charge, m.Amount); err != nil {
				return err
			}
			m.Detail.Unfunded = false
		}
		if m.Kind == KindCharge {
			rest := m.Amount - m.Captured
			if m.Detail.Step != nil && cause == CausePart {
				rest = m.Detail.Step.Amount
			}
			err = b.collect(mer, m, rest)
		} else {
			err = b.send(mer, m)
		}
	case EffectRelease:
		if m.Reserved > 0 {
			err = b.release(mer, m, charge, m.Reserved, string(r.To))
		}
	case EffectReturn:
		m.Refunded = m.Captured
		if m.Kind == KindPayout {
			err = b.post(m.Book, m, "returned", entry{b.side(mer, m, RoleClearing), b.side(mer, m, RoleReturns), m.Captured})
		} else {
			err = b.post(m.Book, m, "returned", entry{b.side(mer, m, RoleClearing), b.side(mer, m, RoleAvailable), m.Captured})
		}
		if err == nil {
			err = b.exchange(mer, m, "returned", true)
		}
	case EffectCredit:
		err = b.post(m.Book, m, "credited", entry{b.side(mer, m, RoleReturns), b.side(mer, m, RoleAvailable), m.Refunded})
	case EffectReserve:
		if m.Detail.Unfunded {
			if err = b.reserve(mer, m, charge, m.Amount); err == nil {
				m.Detail.Unfunded = false
			}
		}
	}
	if err != nil {
		return err
	}
	m.enter(r)
	event := r.Event
	if m.Kind == KindCharge && m.Captured > 0 && (m.Status == StatusFailed || m.Status == StatusCanceled) {
		event = m.settleRest()
	} else if m.Kind == KindCharge && m.Status == StatusSucceeded && m.Refunded == m.Captured && m.Captured > 0 {
		m.Status, event = StatusRefunded, "refunded"
	}
	if m.Status.Final() {
		m.Detail.Step = nil
		m.Sent, m.InDoubt = false, false
		b.drop(JobKey{m.ID, JobRail})
		if m.Detail.ExpiresAt != 0 {
			b.drop(JobKey{m.ID, JobExpire})
		}
	}
	if !m.InDoubt {
		m.Detail.DoubtAt = 0
	} else if m.Detail.DoubtAt == 0 {
		m.Detail.DoubtAt = b.now(m.Book)
	}
	if m.Kind == KindCharge && m.Status.Final() {
		b.letGo(m, m.Captured)
	}
	if charge != nil {
		b.charged(m, charge, r)
	}
	if cause == CauseLost && wasDoubt {
		event = ""
	} else if event == "" && wasDoubt != m.InDoubt {
		event = "updated"
	}
	m.Dirty = true
	if event != "" {
		m.stamp(b.now(m.Book))
		b.emit(m, event)
	}
	if cause == CauseGivenUp {
		b.emit(m, "in_doubt")
	}
	return nil
}

// settleRest ends a charge of which only a part was captured: what moved stays
// moved, the rest is gone. It returns the event's name.
func (m *Movement) settleRest() string {
	m.Amount = m.Captured
	m.Status = StatusSucceeded
	if m.Refunded == m.Captured {
		m.Status = StatusRefunded
	}
	return string(m.Status)
}

// charged tells the charge what became of its refund.
func (b *Batch) charged(refund, charge *Movement, r *Move) {
	event := ""
	switch {
	case r.Effect == EffectMove:
		charge.Detail.RefundsOpen -= refund.Amount
		charge.Refunded += refund.Amount
		event = "updated"
		if charge.Status == StatusSucceeded && charge.Refunded == charge.Captured {
			charge.Status, event = StatusRefunded, "refunded"
		}
	case r.To == StatusFailed || r.To == StatusCanceled:
		charge.Detail.RefundsOpen -= refund.Amount
	case r.Effect == EffectReturn:
		charge.Refunded -= refund.Amount
		event = "updated"
		if charge.Status == StatusRefunded {
			charge.Status = StatusSucceeded
		}
	default:
		return
	}
	charge.Dirty = true
	if event != "" {
		charge.stamp(b.now(charge.Book))
		b.emit(charge, event)
	}
}
