package giro

import (
	"crypto/sha256"

	"giro/money"
)

// Role says what an account of the chart is for.
type Role string

const (
	RoleAvailable     Role = "available"    // a merchant's main account: may be spent
	RoleReserved      Role = "reserved"     // held back for open payouts, refunds and pending transfers
	RolePending       Role = "pending"      // captured, not settled yet
	RoleReturns       Role = "returns"      // payouts that came back and are not credited yet
	RoleSub           Role = "sub"          // a sub-account
	RoleSubReserved   Role = "sub_reserved" // its reserved side
	RoleClearing      Role = "clearing"     // what a rail owes us (debit) or we owe it
	RoleFees          Role = "fees"
	RoleSuspense      Role = "suspense"
	RoleIntermerchant Role = "intermerchant" // the other merchants, as seen from these books
)

// Outside reports whether the account stands for the world outside the book:
// it may go either way.
func (r Role) Outside() bool {
	return r == RoleClearing || r == RoleSuspense || r == RoleIntermerchant
}

// DebitNormal reports whether a healthy balance of the account is a debit.
func (r Role) DebitNormal() bool { return r == RoleClearing }

// accountID derives the id of an account of the chart: no look-up by name, no
// race to create it. The first 48 bits are the merchant's, so the id is a
// UUIDv7 of the merchant's time.
func accountID(merchant UUID, book Book, currency money.Currency, role Role, name string) UUID {
	var scratch [128]byte
	b := append(append(scratch[:0], merchant[:]...), mode(book.Live())...)
	for _, part := range [...]string{string(currency), string(role), name} {
		b = append(append(b, '/'), part...)
	}
	sum := sha256.Sum256(b)
	var u UUID
	copy(u[:], merchant[:6])
	copy(u[6:], sum[:10])
	u[6] = 0x70 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return u
}

func mode(live bool) string {
	if live {
		return "live"
	}
	return "test"
}

// chartAccount is an account of the chart as it is before anything was posted.
func chartAccount(m *Merchant, book Book, currency money.Currency, role Role, name string) Account {
	return Account{
		ID: accountID(m.ID, book, currency, role, name), Book: book, Currency: currency,
		Role: role, Name: name, Negative: role.Outside() || role == RoleAvailable && m.NegativeBalanceAllowed,
	}
}

// reservedSide returns the account that holds back money of a sub-account.
func reservedSide(m *Merchant, sub *Account) Account {
	a := chartAccount(m, sub.Book, sub.Currency, RoleSubReserved, sub.ID.ID("acct"))
	a.ID, a.Parent = reservedSideID(sub.ID), sub.ID
	return a
}

// reservedSideID derives the id of a sub-account's reserved side: the one after
// the sub-account's own, which is even. The two stand side by side in every table
// and index, and nearly every payment touches both.
func reservedSideID(sub UUID) UUID {
	sub[15] |= 1
	return sub
}

// subAccountID makes an id whose next one is nobody's: all of sub-accounts are
// even.
func (b *Batch) subAccountID(book Book) UUID {
	for {
		if id := b.newID(b.now(book)); id[15]&1 == 0 {
			return id
		}
	}
}
