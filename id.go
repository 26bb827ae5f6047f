package giro

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// UUID is a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then bits that
// keep ids of the same millisecond apart. Ids order by the time they were made.
type UUID [16]byte

// ID is a public id: a type prefix and a UUIDv7 in TypeID form,
// "ch_01h455vb4pex5vsknk084sn02q" (the TypeID specification, version 0.3: 26
// characters of lower-case Crockford base32, most significant first).
//
// The prefixes: ch re po tr cus src mer acct ltx evt we key oac ba ap st.
func (u UUID) ID(prefix string) string {
	b := make([]byte, 0, len(prefix)+27)
	b = append(b, prefix...)
	b = append(b, '_')
	return string(u.appendBase32(b))
}

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

var crockfordValue = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range crockford {
		t[crockford[i]] = byte(i)
	}
	return
}()

func (u UUID) appendBase32(b []byte) []byte {
	// 128 bits are 26 groups of 5 with two leading zero bits.
	hi := uint64(u[0])<<56 | uint64(u[1])<<48 | uint64(u[2])<<40 | uint64(u[3])<<32 | uint64(u[4])<<24 | uint64(u[5])<<16 | uint64(u[6])<<8 | uint64(u[7])
	lo := uint64(u[8])<<56 | uint64(u[9])<<48 | uint64(u[10])<<40 | uint64(u[11])<<32 | uint64(u[12])<<24 | uint64(u[13])<<16 | uint64(u[14])<<8 | uint64(u[15])
	var out [26]byte
	for i := 25; i >= 0; i-- {
		out[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return append(b, out[:]...)
}

// ParseID reads an id with this prefix. Anything else, upper case included, is
// not an id: ok is false.
func ParseID(prefix, s string) (u UUID, ok bool) {
	rest, found := strings.CutPrefix(s, prefix)
	if !found || len(rest) != 27 || rest[0] != '_' {
		return u, false
	}
	rest = rest[1:]
	if crockfordValue[rest[0]] > 7 { // the two leading bits are zero
		return u, false
	}
	var hi, lo uint64
	for i := range len(rest) {
		v := crockfordValue[rest[i]]
		if v == 0xff {
			return UUID{}, false
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	for i := range 8 {
		u[i] = byte(hi >> (56 - 8*i))
		u[8+i] = byte(lo >> (56 - 8*i))
	}
	return u, true
}

// String returns the id as a bare UUID, as the SmartFastPay dialect writes it.
func (u UUID) String() string { return string(u.appendString(make([]byte, 0, 36))) }

func (u UUID) appendString(b []byte) []byte {
	b = append(hex.AppendEncode(b, u[0:4]), '-')
	b = append(hex.AppendEncode(b, u[4:6]), '-')
	b = append(hex.AppendEncode(b, u[6:8]), '-')
	b = append(hex.AppendEncode(b, u[8:10]), '-')
	return hex.AppendEncode(b, u[10:16])
}

// ParseUUID reads the 36-character form, in either case.
func ParseUUID(s string) (u UUID, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	compact := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(u[:], []byte(compact)); err != nil {
		return UUID{}, false
	}
	return u, true
}

// IsZero reports whether the id is absent.
func (u UUID) IsZero() bool { return u == UUID{} }

// Time returns the instant in the id, to the millisecond.
func (u UUID) Time() time.Time {
	ms := int64(u[0])<<40 | int64(u[1])<<32 | int64(u[2])<<24 | int64(u[3])<<16 | int64(u[4])<<8 | int64(u[5])
	return time.UnixMilli(ms).UTC()
}

// FirstUUID returns the smallest UUIDv7 of an instant: the bound for a range of
// ids by time.
func FirstUUID(t time.Time) (u UUID) {
	putMillis(&u, t)
	u[6] = 0x70
	u[8] = 0x80
	return u
}

func putMillis(u *UUID, t time.Time) {
	ms := max(t.UnixMilli(), 0)
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
}

// UUIDs returns a source of UUIDv7 that, for one and the same instant, hands out
// ascending ids; safe for concurrent use.
func UUIDs() func(at time.Time) UUID {
	var mu sync.Mutex
	var last UUID
	return func(at time.Time) UUID {
		var u UUID
		rand.Read(u[6:])
		putMillis(&u, at)
		u[6] = 0x70 | u[6]&0x0f
		u[8] = 0x80 | u[8]&0x3f
		mu.Lock()
		defer mu.Unlock()
		if [6]byte(u[:6]) == [6]byte(last[:6]) {
			// The same millisecond: count up from the last id, by a random
			// step so that ids cannot be guessed from their neighbours.
			step := uint64(u[15]) | uint64(u[14])<<8 | uint64(u[13])<<16 | uint64(u[12])<<24 | 1
			u = last
			for i := 15; i > 8 && step > 0; i-- {
				step += uint64(u[i])
				u[i] = byte(step)
				step >>= 8
			}
			if step > 0 { // carried out of the low 56 bits
				n := uint16(u[6]&0x0f)<<8 | uint16(u[7])
				n++
				u[6], u[7] = 0x70|byte(n>>8)&0x0f, byte(n)
			}
		}
		last = u
		return u
	}
}

// sequenceUUID returns the id of the n-th row of a book's gapless sequence. The
// sequence stands in the low 40 bits, so the row is found by its id without an
// index; salt (random or derived from content) fills the rest.
func sequenceUUID(at time.Time, n int64, salt uint32) (u UUID) {
	putMillis(&u, at)
	u[6] = 0x70 | byte(salt>>28)
	u[7] = byte(salt >> 20)
	u[8] = 0x80 | byte(salt>>14)&0x3f
	u[9] = byte(salt >> 6)
	u[10] = byte(salt<<2) | byte(n>>40)&3
	for i := range 5 {
		u[11+i] = byte(n >> (32 - 8*i))
	}
	return u
}

// SequenceOf returns the sequence number inside an event's or a ledger
// transaction's id.
func SequenceOf(u UUID) int64 {
	n := int64(u[10] & 3)
	for i := range 5 {
		n = n<<8 | int64(u[11+i])
	}
	return n
}

// IDRange reads the beginning of an id with this prefix, "ch_01h455", and
// returns the smallest and the greatest id that begin so; ok is false where none
// can.
func IDRange(prefix, s string) (from, to UUID, ok bool) {
	rest, found := strings.CutPrefix(s, prefix+"_")
	if !found || len(rest) > 26 {
		return from, to, false
	}
	from, low := ParseID(prefix, prefix+"_"+rest+strings.Repeat("0", 26-len(rest)))
	fill := strings.Repeat("z", 26-len(rest))
	if rest == "" {
		fill = "7" + fill[1:]
	}
	to, high := ParseID(prefix, prefix+"_"+rest+fill)
	return from, to, low && high
}
