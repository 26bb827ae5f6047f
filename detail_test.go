package giro_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"giro"
	codes "giro/bank"
)

// core is the part of a detail that DecodeDetailCore reads.
func core(d *giro.Detail) giro.Detail {
	return giro.Detail{Rail: d.Rail, Account: d.Account, Destination: d.Destination, FailureCode: d.FailureCode, Exchange: d.Exchange}
}

func sameCore(t interface{ Errorf(string, ...any) }, stored []byte) {
	var whole, part giro.Detail
	err, errPart := json.Unmarshal(stored, &whole), giro.DecodeDetailCore(stored, &part)
	if (err == nil) != (errPart == nil) {
		t.Errorf("%s: %v, and the core %v", stored, err, errPart)
	}
	if a, b := core(&whole), core(&part); err == nil && !reflect.DeepEqual(a, b) {
		t.Errorf("%s: %+v, and the core %+v", stored, a, b)
	}
	var byHand giro.Detail
	if errByHand := giro.DecodeDetail(stored, &byHand); (err == nil) != (errByHand == nil) {
		t.Errorf("%s: %v, and by hand %v", stored, err, errByHand)
	} else if err == nil && !reflect.DeepEqual(whole, byHand) {
		t.Errorf("%s: %+v, and by hand %+v", stored, whole, byHand)
	}
}

func someDetail() giro.Detail {
	return giro.Detail{
		Rail: "sandbox", Provider: "bank", Method: "pix", Account: giro.UUID{1, 15: 2}, Destination: giro.UUID{3}, Unsettled: -5, TwoPhase: true,
		Bank:      &giro.Bank{Method: "pix", Key: codes.Sample("cpf", 1), KeyType: "cpf"},
		Recipient: &giro.Party{Name: "José da Silva", Document: &giro.Document{Type: "CPF", Number: codes.Sample("cpf", 1)}},
		Metadata:  map[string]string{"order": "7"}, FailureCode: "account_closed",
		Attempts: []giro.Attempt{{At: 1, Instruction: "po_1-1", Act: "submit", Result: "pending"}, {At: 2, Act: "lookup"}},
		Step:     &giro.Instruction{ID: "po_1-1", Amount: 7, Lookups: 3},
		Voids:    []giro.Instruction{{ID: "a"}},
	}
}

// TestTheCoreOfADetail compares the reader of a few members with the whole one:
// they accept the same, whatever is stored.
func TestTheCoreOfADetail(t *testing.T) {
	t.Parallel()
	stored, err := json.Marshal(ptr(someDetail()))
	if err != nil {
		t.Fatal(err)
	}
	exchanged := someDetail()
	exchanged.Exchange = &giro.Exchange{Currency: "BRL", Amount: 7, Rate: 5}
	exchanged.Wire = json.RawMessage(`{"a":[1,2]}`)
	all := [][]byte{stored, []byte(`{}`), []byte(`[]`), []byte(``), []byte(`null`), []byte(`{"rail":null}`), []byte(`{"Rail":"x"}`), []byte(`{"rail":"\u0061"}`),
		[]byte(`{"rail":"é"}`), []byte(`{"rail":1}`), []byte(`{"rail":"a","rail":"b"}`), []byte(` {"rail" : "a"} `), []byte(`{"rail":"a"}x`), []byte(`{"unknown":1}`),
		[]byte(`{"account":"01A17EAE-0CF4-7F2D-998D-C02FF12D4119"}`), []byte(`{"account":"01a17eae"}`), []byte(`{"account":"01a17eae-0cf4-7f2d-998d-c02ff12d411g"}`),
		[]byte(`{"steps":01}`), []byte(`{"steps":-0}`), []byte(`{"steps":-}`), []byte(`{"steps":1.5}`), []byte(`{"steps":9223372036854775808}`), []byte(`{"steps":1e2}`),
		[]byte(`{"two_phase":truex}`), []byte(`{"metadata":{"a":1}}`), []byte(`{"metadata":{"a":"1",}}`), []byte(`{"attempts":[{"at":1},]}`), []byte(`{"attempts":[]}`),
		[]byte(`{"bank":{"key":"a"},"bank":{"iban":"b"}}`), []byte(`{"attempts":[{"act":"a"}],"attempts":[{"at":1}]}`), []byte(`{"metadata":{"a":"1","a":"2"},"metadata":{"b":"3"}}`),
		[]byte(`{"recipient":{"document":{"type":"a"},"document":{"number":"b"}}}`), []byte("{\"description\":\"\xff\"}"), []byte(`{"card":{"token":"a","brand":"b","last4":"c"},"mobile":{"phone":"1"}}`),
		[]byte(`{"bank":{"method":7}}`), []byte(`{"bank":null}`), []byte(`{"step":{"Movement":{}}}`), []byte("{\"rail\":\"a\x01\"}"),
	}
	if more, err := json.Marshal(&exchanged); err != nil {
		t.Fatal(err)
	} else {
		all = append(all, more)
	}
	for _, one := range all {
		sameCore(t, one)
	}
	// Cut anywhere, and with any one byte changed.
	for i := range stored {
		sameCore(t, stored[:i])
		for _, c := range []byte(`"{}[],:0a-\`) {
			changed := append([]byte(nil), stored...)
			changed[i] = c
			sameCore(t, changed)
		}
	}
}

// TestTheCoreIsReadWithoutEncodingJSON: which allocates far more.
func TestTheCoreIsReadWithoutEncodingJSON(t *testing.T) {
	stored, err := json.Marshal(ptr(someDetail()))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		var d giro.Detail
		if err := giro.DecodeDetailCore(stored, &d); err != nil {
			t.Error(err)
		}
	}); n > 3 {
		t.Errorf("what is stored takes %v allocations", n)
	}
}

// TestADetailIsReadWithoutEncodingJSON: the parts of it are allocated, and texts.
func TestADetailIsReadWithoutEncodingJSON(t *testing.T) {
	stored, err := json.Marshal(ptr(someDetail()))
	if err != nil {
		t.Fatal(err)
	}
	byHand := testing.AllocsPerRun(100, func() { giro.DecodeDetail(stored, new(giro.Detail)) })
	if whole := testing.AllocsPerRun(100, func() { json.Unmarshal(stored, new(giro.Detail)) }); byHand > whole*3/4 {
		t.Errorf("%v allocations, and %v by reflection", byHand, whole)
	}
}

func BenchmarkDecodeDetail(b *testing.B) {
	stored, err := json.Marshal(ptr(someDetail()))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("reflection", func(b *testing.B) {
		for b.Loop() {
			json.Unmarshal(stored, new(giro.Detail))
		}
	})
	b.Run("hand", func(b *testing.B) {
		for b.Loop() {
			giro.DecodeDetail(stored, new(giro.Detail))
		}
	})
	b.Run("core", func(b *testing.B) {
		var d giro.Detail
		for b.Loop() {
			giro.DecodeDetailCore(stored, &d)
		}
	})
}

func TestTheCoreOfAnyDetail(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var members []string
		for range rapid.IntRange(0, 6).Draw(t, "members") {
			name := rapid.SampledFrom([]string{"rail", "account", "steps", "metadata", "bank", "attempts", "expires_at", "in_doubt", "two_phase", "failure_code"}).Draw(t, "name")
			value := rapid.SampledFrom([]string{`"x"`, `1`, `-7`, `true`, `{}`, `[]`, `{"method":"pix"}`, `{"a":"b"}`, `[{"at":3}]`, `null`, `"a\"b"`, `1.0`, `{"a":null}`}).Draw(t, "value")
			members = append(members, fmt.Sprintf("%q:%s", name, value))
		}
		sameCore(t, []byte("{"+strings.Join(members, ",")+"}"))
	})
}

func FuzzDecodeDetailCore(f *testing.F) {
	stored, err := json.Marshal(ptr(someDetail()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add([]byte(`{"rail":"a","exchange":{"rate":"5"}}`))
	f.Fuzz(func(t *testing.T, stored []byte) { sameCore(t, stored) })
}

func ptr[T any](v T) *T { return &v }
