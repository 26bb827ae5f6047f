package store

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/klauspost/compress/s2"

	"giro"
)

// The data of an event is JSON of which most is the same in every event of its
// kind. It is stored as a block of S2 with a dictionary, in a third of the room:
// events were half of a store. So is an answer that is kept under an
// Idempotency-Key and is no event's data: that of a bulk has up to 1,000 movements,
// in a twelfth of the room. A block stands behind one byte that names its dictionary.
// What an older giro wrote begins with its brace, and is read as it stands.

// eventDict are events that nobody caused, the rarest kind first. It is part of
// the stored form: it never changes. Another one would get another name.
//
//go:embed event.dict
var eventDict []byte

const packedJSON = 1 // the name of eventDict

var eventBlocks = s2.MakeDictManual(eventDict, 0)

// packedMax is more than any event or answer says. A length beyond it is damage,
// and not asked for in memory.
const packedMax = 1 << 26

// packingSize is memory for nearly every event, packed or not.
const packingSize = 4096

// pack returns the stored form of an event's data or of an answer. It uses the
// memory of scratch where that is enough, and returns data itself where a block
// were longer.
func pack(scratch, data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	if need := 1 + s2.MaxEncodedLen(len(data)); cap(scratch) < need {
		scratch = make([]byte, need)
	}
	scratch = scratch[:cap(scratch)]
	block := eventBlocks.Encode(scratch[1:], data)
	if len(block) >= len(data) && data[0] != packedJSON {
		return data
	}
	scratch[0] = packedJSON
	return scratch[:1+len(block)]
}

// packedBeside is how many events are so many that they are packed beside the
// writer.
const packedBeside = 64

// packWrites returns the stored forms of a batch's events and of the answers that
// its keys keep, one by one. Those of a large batch, a sixteenth of its writer's
// time, are packed on another processor meanwhile. Nobody changes what a batch
// says once it is being written. What a function returned is valid until the next
// call.
func packWrites(w *giro.Writes) (event func(i int) []byte, answer func(*giro.Idempotency) []byte) {
	scratch := make([]byte, packingSize)
	if len(w.Events) < packedBeside {
		event = func(i int) []byte { return pack(scratch, w.Events[i].Data) }
		return event, func(r *giro.Idempotency) []byte { return pack(scratch, ownBody(r)) }
	}
	events, answers, done := make([][]byte, len(w.Events)), make(map[*giro.Idempotency][]byte, len(w.Idempotency)), make(chan struct{})
	go func() {
		defer close(done)
		for i := range w.Events {
			events[i] = bytes.Clone(pack(scratch, w.Events[i].Data))
		}
		for _, r := range w.Idempotency {
			answers[r] = bytes.Clone(pack(scratch, ownBody(r)))
		}
	}()
	return func(i int) []byte { <-done; return events[i] }, func(r *giro.Idempotency) []byte { <-done; return answers[r] }
}

// ownBody is what an idempotency row stores of its answer: nothing where an
// event has it.
func ownBody(r *giro.Idempotency) []byte {
	if r.Event > 0 {
		return nil
	}
	return r.Body
}

// unpack returns an event's data or an answer from its stored form. It uses the
// memory of scratch where that is enough; what was stored plain it returns itself.
func unpack(scratch, stored []byte) ([]byte, error) {
	if len(stored) == 0 || stored[0] != packedJSON {
		return stored, nil
	}
	size, err := s2.DecodedLen(stored[1:])
	if err == nil && size > packedMax {
		err = s2.ErrCorrupt
	}
	if err == nil {
		scratch, err = eventBlocks.Decode(scratch[:cap(scratch)], stored[1:])
	}
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return scratch, nil
}

// unpackData unpacks an event as it was read.
func unpackData(e *giro.Event) (err error) {
	if e.Data, err = unpack(nil, e.Data); err != nil {
		return fmt.Errorf("event %d of book %d: %w", e.Sequence, e.Book, err)
	}
	return nil
}

// lastEvent is unpack for Verify, which says of what is damaged that it
// cannot be read.
func lastEvent(stored []byte) []byte {
	data, err := unpack(nil, stored)
	if err != nil {
		return stored
	}
	return data
}
