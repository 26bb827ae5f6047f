package giro

import "strings"

// eventWhats are what can happen to a movement, in the order of its life.
var eventWhats = []string{
	"created", "captured", "succeeded", "failed", "onhold", "released", "canceled", "returned", "refunded", "updated", "deleted", "in_doubt",
}

// EventEndpointDisabled is the type of the event that tells that giro has
// disabled a webhook endpoint.
const EventEndpointDisabled = "webhook_endpoint.disabled"

// EventTestDataWiped is the type of the first event of a test book after it was
// wiped.
const EventTestDataWiped = "test_data.wiped"

// EventTypes returns every type of event that giro writes.
func EventTypes() []string {
	var types []string
	for _, k := range Kinds {
		for _, what := range eventWhats {
			types = append(types, string(k)+"."+what)
		}
	}
	return append(types, EventEndpointDisabled, EventTestDataWiped)
}

// MatchEvent reports whether a type of event matches a pattern: the type
// itself, or one with a star for any characters: "payout.*", "*.failed", "*".
func MatchEvent(pattern, typ string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == typ
	}
	return len(typ) >= len(head)+len(tail) && strings.HasPrefix(typ, head) && strings.HasSuffix(typ, tail)
}

// KnownEvent reports whether a pattern has at most one star and matches a type
// that giro writes.
func KnownEvent(pattern string) bool {
	if strings.Count(pattern, "*") > 1 {
		return false
	}
	for _, t := range EventTypes() {
		if MatchEvent(pattern, t) {
			return true
		}
	}
	return false
}

// AppendJSON appends the event as the API, the stream and webhooks show it.
// The same event has the same bytes for good.
func (e *Event) AppendJSON(b []byte) []byte {
	w := writer{b}
	w.raw('{')
	w.own("id", "evt", e.ID)
	w.str("object", "event")
	w.str("type", e.Type)
	w.num("sequence", e.Sequence)
	w.num("created", e.At/1_000_000)
	w.bool("livemode", e.Book.Live())
	w.key("data")
	w.b = append(append(append(w.b, `{"object":`...), WithQR(e.Data)...), '}', '}')
	return w.b
}

// Notice is what a dialect tells about an event beside webhooks: the exact
// bytes that one address of a movement's own gets. It is made in the deciding
// transaction and kept with the event, so that every attempt sends the same.
type Notice struct {
	URL     string `json:"url"`
	Profile string `json:"profile"` // of the dialect; decides how the notice is signed
	Body    []byte `json:"body"`
}
