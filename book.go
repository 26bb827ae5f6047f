package giro

import "time"

// Book names the books of one merchant in one mode: its ledger, its sequence of
// events and its counters. Test and live are two books and never meet.
type Book int64

// BookOf returns the book of the merchant with this number in one mode.
func BookOf(merchant int64, live bool) Book {
	b := Book(merchant) << 1
	if live {
		b |= 1
	}
	return b
}

// Installation is the book of rows that belong to no merchant.
const Installation Book = 0

// Live reports whether real money moves in these books.
func (b Book) Live() bool { return b&1 == 1 }

// Merchant returns the merchant's number.
func (b Book) Merchant() int64 { return int64(b >> 1) }

// BookHead is the row that every change to a book goes through. Locking it
// serialises the book: the chain, the gapless sequences and all accounts of the
// book are stable while it is held.
type BookHead struct {
	Book      Book
	Merchant  UUID
	Sequence  int64    // of the last ledger transaction
	Hash      [32]byte // of the last ledger transaction: the head of the chain
	LedgerAt  int64    // µs, time of the last ledger transaction; never goes back
	Events    int64    // sequence of the last event
	Charges   int64    // movements that are not deleted, per kind
	Refunds   int64
	Payouts   int64
	Transfers int64 // made and received
	Clock     Clock // of a test book; a live one's is zero
	Wiping    int64 // µs, real time since when a test book is being wiped; 0: it is not
	Wiped     int64 // µs, real time when it was wiped last; 0: never

	New, Dirty bool // for the store: insert, or update

	span int // of the batch in which undoing was seen to; see Batch
}

// Count returns the counter of a kind.
func (h *BookHead) Count(k Kind) *int64 {
	switch k {
	case KindCharge:
		return &h.Charges
	case KindRefund:
		return &h.Refunds
	case KindPayout:
		return &h.Payouts
	}
	return &h.Transfers
}

// Micros returns t as microseconds since the Unix epoch, the form in which
// times are kept.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// TimeOf returns the instant of stored microseconds, in UTC.
func TimeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
