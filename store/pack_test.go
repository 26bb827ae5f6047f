package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"giro"
)

// TestEventDictNeverChanges: what was stored with it could not be read any more.
func TestEventDictNeverChanges(t *testing.T) {
	t.Parallel()
	if sum := sha256.Sum256(eventDict); hex.EncodeToString(sum[:]) != "b5c9aba46d78f1b15f6c8318a84558edc66e0ce4c958ba65049fde373a411689" {
		t.Errorf("event.dict is another one: %x", sum)
	}
	stored, err := hex.DecodeString("01b00515000360316d3074643477636766786d7378303832777871626e326b782e2b0242950b08323838590e5927321700c225021c383735393236303215006c3c362d30382d32345431373a33303a303215000b3a230000353e25021822537570706c69425a1e293d102d313032303282060c226375734a80012078306d636b776a382232500222b70b0037eeb50b110000390d01583230323630383234313733307249637261464a7434436c96b50b144272756e6f22f6770b106272756e6f3a1e382a7d0b1c656d61696c227d7d")
	if err != nil {
		t.Fatal(err)
	}
	data, err := unpack(nil, stored)
	if err != nil || string(data) != golden {
		t.Errorf("an event of the first giro that packed is %q, %v", data, err)
	}
}

const golden = `{"id":"po_01m0td4wcgfxmsx082wxqbn2kx","object":"payout","amount":2880,"amount_captured":2880,"amount_refunded":0,"fee":0,"currency":"brl","created":1787592602,"status":"succeeded","failure_code":null,"failure_message":null,"in_doubt":false,"livemode":false,"created_at":"2026-08-24T17:30:02","updated_at":"2026-08-24T17:30:05","description":"Supplier","reference":"payout-1020","customer":"cus_01m0td4wcgfxmsx082x0mckwj8","metadata":{"order":"7"},"provider":"bank","version":2,"rail":"sandbox","end_to_end_id":"E99999999202608241730rIcraFJt4Cl","account":null,"recipient":{"name":"Bruno"},"retry_of":null,"source":null,"bank":{"method":"pix","key":"bruno@example.com","key_type":"email"}}`

func TestPack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	cases := [][]byte{nil, []byte("{}"), []byte(golden), noise, noise[:5], {packedJSON}, {packedJSON, 2, 3}, []byte(`{"metadata":"` + strings.Repeat("x", 200_000) + `"}`)}
	for line := range bytes.Lines(eventDict) {
		if !json.Valid(line) {
			t.Fatalf("no JSON: %s", line)
		}
		cases = append(cases, line, bytes.ReplaceAll(line, []byte("0"), []byte("7")))
	}
	scratch := make([]byte, packingSize)
	for _, data := range cases {
		stored := pack(scratch, data)
		if len(stored) > len(data)+4 {
			t.Errorf("%d bytes became %d", len(data), len(stored))
		}
		again, err := unpack(nil, bytes.Clone(stored))
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%.80q became %.80q, %v", data, again, err)
		}
	}
	if n := len(pack(scratch, []byte(golden))); n > len(golden)*4/10 {
		t.Errorf("a payout's event of %d bytes takes %d", len(golden), n)
	}
}

// FuzzUnpack: whatever stands there, it is read as something or refused,
// within the memory that an event may take; and what was read can be stored.
func FuzzUnpack(f *testing.F) {
	stored := pack(nil, []byte(golden))
	f.Add(stored)
	for n := 0; n < len(stored); n += 5 {
		f.Add(stored[:n])
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		damaged := bytes.Clone(stored)
		for range 1 + random.IntN(3) {
			damaged[1+random.IntN(len(damaged)-1)] = byte(random.Uint32())
		}
		f.Add(damaged)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		data, err := unpack(nil, stored)
		if err != nil {
			return
		}
		if len(data) > packedMax && len(data) > len(stored) {
			t.Fatalf("%d bytes", len(data))
		}
		if again, err := unpack(nil, pack(nil, data)); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x, %v", data, again, err)
		}
	})
}

// TestPackWrites: what a large batch says is packed as one by one, and an answer
// that is an event's data only there.
func TestPackWrites(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, packedBeside - 1, packedBeside, 5 * packedBeside} {
		w := &giro.Writes{Events: make([]giro.Event, n), Idempotency: make([]*giro.Idempotency, n)}
		for i := range n {
			w.Events[i].Data = fmt.Appendf(nil, `{"id":"po_%d","metadata":{"order":"%s"}}`, i, strings.Repeat("x", i*100))
			w.Idempotency[i] = &giro.Idempotency{Event: int64(i % 3), Body: fmt.Appendf(nil, `{"payouts":["po_%d"%s]}`, i, strings.Repeat(`,"po_1"`, i*10))}
		}
		event, answer := packWrites(w)
		scratch := make([]byte, packingSize)
		for i, r := range w.Idempotency {
			if !bytes.Equal(event(i), pack(scratch, w.Events[i].Data)) {
				t.Fatalf("event %d of %d is packed otherwise", i, n)
			}
			want := r.Body
			if r.Event > 0 {
				want = nil
			}
			if got := answer(r); !bytes.Equal(got, pack(scratch, want)) {
				t.Fatalf("answer %d of %d is %x", i, n, got)
			}
		}
	}
}

func TestRefusedBlocks(t *testing.T) {
	t.Parallel()
	for _, length := range [][]byte{{}, {0xff}, {0xff, 0xff, 0xff, 0xff, 0x0f}, {0x81, 0x80, 0x80, 0x20}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		if data, err := unpack(nil, append([]byte{packedJSON}, length...)); err == nil {
			t.Errorf("length %x: %d bytes", length, len(data))
		}
	}
}
