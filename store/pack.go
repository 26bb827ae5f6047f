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
// events were half of a store. A block stands behind one byte that names its
// dictionary. What an older giro wrote begins with its brace, and is read as it
// stands.

// eventDict are events that nobody caused, the rarest kind first. It is part of
// the stored form: it never changes. Another one would get another name.
//
//go:embed event.dict
var eventDict []byte

const packedEvent = 1 // the name of eventDict

var eventBlocks = s2.MakeDictManual(eventDict, 0)

// packedMax is more than any event says. A length beyond it is damage, and not
// asked for in memory.
const packedMax = 1 << 26

// packingSize is memory for nearly every event, packed or not.
const packingSize = 4096

// packEvent returns the stored form of an event's data. It uses the memory of
// scratch where that is enough, and returns data itself where a block were longer.
func packEvent(scratch, data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	if need := 1 + s2.MaxEncodedLen(len(data)); cap(scratch) < need {
		scratch = make([]byte, need)
	}
	scratch = scratch[:cap(scratch)]
	block := eventBlocks.Encode(scratch[1:], data)
	if len(block) >= len(data) && data[0] != packedEvent {
		return data
	}
	scratch[0] = packedEvent
	return scratch[:1+len(block)]
}

// packedBeside is how many events are so many that they are packed beside the
// writer.
const packedBeside = 64

// packEvents returns the stored forms of events, one by one. Those of a large
// batch, a sixteenth of its writer's time, are packed on another processor
// meanwhile. Nobody changes an event once its batch is being written.
func packEvents(events []giro.Event) (packed func(i int) []byte) {
	scratch := make([]byte, packingSize)
	if len(events) < packedBeside {
		return func(i int) []byte { return packEvent(scratch, events[i].Data) }
	}
	all, done := make([][]byte, len(events)), make(chan struct{})
	go func() {
		defer close(done)
		for i := range events {
			all[i] = bytes.Clone(packEvent(scratch, events[i].Data))
		}
	}()
	return func(i int) []byte { <-done; return all[i] }
}

// unpackEvent returns the data of an event from its stored form. It uses the
// memory of scratch where that is enough; what was stored plain it returns itself.
func unpackEvent(scratch, stored []byte) ([]byte, error) {
	if len(stored) == 0 || stored[0] != packedEvent {
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
		return nil, fmt.Errorf("unpack event: %w", err)
	}
	return scratch, nil
}

// unpackData unpacks an event as it was read.
func unpackData(e *giro.Event) (err error) {
	if e.Data, err = unpackEvent(nil, e.Data); err != nil {
		return fmt.Errorf("event %d of book %d: %w", e.Sequence, e.Book, err)
	}
	return nil
}

// lastEvent is unpackEvent for Verify, which says of what is damaged that it
// cannot be read.
func lastEvent(stored []byte) []byte {
	data, err := unpackEvent(nil, stored)
	if err != nil {
		return stored
	}
	return data
}
