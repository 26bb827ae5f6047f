package api

import (
	"container/list"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiterKeysMax bounds the keys that a limiter remembers. The one that was
// silent longest is forgotten, which only gives it a full allowance again.
const limiterKeysMax = 10_000

// limiter gives every key its own allowance of requests: perSecond on average,
// burst at once. The zero perSecond allows everything.
type limiter struct {
	perSecond int
	burst     int

	policy []string // the header's value, which never changes

	mu    sync.Mutex
	keys  map[[16]byte]*list.Element
	order list.List // *limited, the last used first
}

type limited struct {
	key     [16]byte
	limiter *rate.Limiter
}

func newLimiter(perSecond, burst int) *limiter {
	if burst < perSecond {
		burst = perSecond
	}
	l := &limiter{perSecond: perSecond, burst: burst, keys: map[[16]byte]*list.Element{}}
	if perSecond > 0 {
		l.policy = []string{fmt.Sprintf(`"default";q=%d;w=%d`, burst, (burst+perSecond-1)/perSecond)}
	}
	return l
}

// allow takes one request from the key's allowance and writes the headers of
// draft-ietf-httpapi-ratelimit-headers-10. after is how long to wait where the
// request is refused.
func (l *limiter) allow(key [16]byte, now time.Time, h http.Header) (after time.Duration, ok bool) {
	if l.perSecond <= 0 {
		return 0, true
	}
	l.mu.Lock()
	e := l.keys[key]
	if e == nil {
		if l.order.Len() >= limiterKeysMax {
			oldest := l.order.Back()
			delete(l.keys, oldest.Value.(*limited).key)
			l.order.Remove(oldest)
		}
		e = l.order.PushFront(&limited{key, rate.NewLimiter(rate.Limit(l.perSecond), l.burst)})
		l.keys[key] = e
	} else {
		l.order.MoveToFront(e)
	}
	r := e.Value.(*limited).limiter
	l.mu.Unlock()

	ok = r.AllowN(now, 1)
	tokens := r.TokensAt(now)
	full := int(math.Ceil((float64(l.burst) - tokens) / float64(l.perSecond)))
	h["Ratelimit-Policy"] = l.policy
	b := append(make([]byte, 0, 32), `"default";r=`...)
	b = append(strconv.AppendInt(b, int64(max(0, int(tokens))), 10), ";t="...)
	h["Ratelimit"] = []string{string(strconv.AppendInt(b, int64(max(1, full)), 10))}
	if !ok {
		after = max(time.Duration((1-tokens)/float64(l.perSecond)*float64(time.Second)), time.Millisecond)
	}
	return after, ok
}
