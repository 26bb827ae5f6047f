// Package ledger is double entry in memory: accounts, postings and the hash
// chain over ledger transactions. It reads no clock, does no I/O and knows
// nothing of payments; the caller loads accounts, applies transactions and
// stores what came out.
//
// A posting debits one account and credits another with one amount > 0, so a
// ledger transaction cannot be out of balance: it is a list of such pairs.
package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
)

// ID names an account or a ledger transaction.
type ID = [16]byte

// Hash is a link of the chain: SHA-256.
type Hash = [32]byte

// Account is an account's balance with its rule. Balance is credits minus
// debits, in minor units of the account's currency.
type Account struct {
	Currency string
	Balance  int64
	Negative bool // may fall below zero
}

// Posting moves Amount (> 0, minor units) from Debit to Credit.
type Posting struct {
	Debit  ID
	Credit ID
	Amount int64
}

// Transaction is what the chain covers. Postings share one currency.
type Transaction struct {
	Book     int64 // the ledger that the chain belongs to
	Sequence int64 // 1, 2, 3, … without a gap
	ID       ID
	At       int64 // microseconds since the Unix epoch, never below its predecessor's
	Cause    string
	Object   ID // the movement that caused it, or zero
	Currency string
	Postings []Posting
}

// Entry is one side of a posting as its account's statement shows it.
type Entry struct {
	Account ID
	Amount  int64 // > 0 credit, < 0 debit
	Balance int64 // of the account after this entry
}

// The ways in which a transaction can be refused. ErrFloor and ErrOverflow
// depend on balances; the others are faults of the caller.
var (
	ErrFloor    = errors.New("balance would fall below the account's floor")
	ErrOverflow = errors.New("balance would leave the range of 64 bits")
	ErrAmount   = errors.New("amount of a posting is not positive")
	ErrSame     = errors.New("posting debits and credits one account")
	ErrAccount  = errors.New("posting names an account that is not loaded")
	ErrCurrency = errors.New("posting mixes currencies")
	ErrEmpty    = errors.New("ledger transaction without postings")
)

// Apply posts t to the accounts that find returns and appends its entries to
// dst, debit before credit, posting by posting. When it returns an error some
// balances may have changed: the caller holds copies (the batch's savepoint).
func Apply(dst []Entry, t *Transaction, find func(ID) *Account) ([]Entry, error) {
	if len(t.Postings) == 0 {
		return dst, ErrEmpty
	}
	for _, p := range t.Postings {
		if p.Amount <= 0 {
			return dst, ErrAmount
		}
		if p.Debit == p.Credit {
			return dst, ErrSame
		}
		debit, credit := find(p.Debit), find(p.Credit)
		if debit == nil || credit == nil {
			return dst, ErrAccount
		}
		if debit.Currency != t.Currency || credit.Currency != t.Currency {
			return dst, ErrCurrency
		}
		if debit.Balance < math.MinInt64+p.Amount || credit.Balance > math.MaxInt64-p.Amount {
			return dst, ErrOverflow
		}
		if !debit.Negative && debit.Balance < p.Amount {
			return dst, ErrFloor
		}
		debit.Balance -= p.Amount
		credit.Balance += p.Amount
		dst = append(dst,
			Entry{p.Debit, -p.Amount, debit.Balance},
			Entry{p.Credit, p.Amount, credit.Balance})
	}
	return dst, nil
}

// Link returns the hash of t on top of prev: SHA-256 over prev and t's
// canonical bytes (fixed-width big-endian numbers, strings and the list of
// postings with their lengths in front), so no two transactions share a form.
func Link(prev Hash, t *Transaction) Hash {
	var scratch [512]byte
	b := append(scratch[:0], prev[:]...)
	b = AppendCanonical(b, t)
	return sha256.Sum256(b)
}

// AppendCanonical appends the bytes that the chain covers.
func AppendCanonical(b []byte, t *Transaction) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Book))
	b = binary.BigEndian.AppendUint64(b, uint64(t.Sequence))
	b = append(b, t.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.At))
	b = appendString(b, t.Cause)
	b = append(b, t.Object[:]...)
	b = appendString(b, t.Currency)
	return AppendPostings(b, t.Postings)
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

const postingSize = 16 + 16 + 8

// AppendPostings appends the stored form of postings: a count and then 40 bytes
// each (debit, credit, amount).
func AppendPostings(b []byte, postings []Posting) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(postings)))
	for _, p := range postings {
		b = append(b, p.Debit[:]...)
		b = append(b, p.Credit[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(p.Amount))
	}
	return b
}

// ErrEncoding says that stored postings are not in the form of AppendPostings.
var ErrEncoding = errors.New("postings are not in their stored form")

// DecodePostings reads the form of AppendPostings, appending to dst.
func DecodePostings(dst []Posting, b []byte) ([]Posting, error) {
	if len(b) < 2 {
		return dst, ErrEncoding
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if len(b) != n*postingSize {
		return dst, ErrEncoding
	}
	for ; n > 0; n-- {
		p := Posting{Debit: ID(b[:16]), Credit: ID(b[16:32]), Amount: int64(binary.BigEndian.Uint64(b[32:40]))}
		dst = append(dst, p)
		b = b[postingSize:]
	}
	return dst, nil
}
