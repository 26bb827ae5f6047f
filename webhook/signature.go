// Package webhook tells receivers what happened: it signs events, posts them
// to addresses that may be posted to, and says when to try again. Verify and
// VerifySmartFastPay are for receivers written in Go.
//
// It knows nothing of storage: which delivery is due, and what became of it, is
// kept by its caller.
package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks 1.0, and the one of each profile of the
// SmartFastPay dialect.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"

	HeaderSmartFastPay = "Smartfastpay-Signature"
	HeaderJumpPag      = "Jump-Signature"
)

// Why a message was not accepted. Whoever gets one of these answers 401 and
// does nothing.
var (
	ErrHeaders   = errors.New("webhook: a signature header is missing, repeated or malformed")
	ErrTimestamp = errors.New("webhook: the timestamp is too far from now")
	ErrSignature = errors.New("webhook: no signature matches")
)

// Secret is the key of one endpoint: 24 to 64 bytes. It prints as a placeholder,
// so that it reaches no log by accident; Reveal has the text.
type Secret struct{ key []byte }

const (
	secretPrefix   = "whsec_"
	secretBytes    = 32
	secretBytesMin = 24 // both bounds are those of Standard Webhooks 1.0
	secretBytesMax = 64
)

// NewSecret returns a random secret.
func NewSecret() Secret {
	key := make([]byte, secretBytes)
	rand.Read(key) // never fails: the program ends where the system has no randomness
	return Secret{key}
}

// ParseSecret reads "whsec_" and standard base64, as Reveal writes it. The error
// does not repeat the text.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return Secret{}, fmt.Errorf("webhook: a secret begins with %s", secretPrefix)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // which the decoder skips
		return Secret{}, errors.New("webhook: a secret is base64 after its prefix")
	}
	if len(key) < secretBytesMin || len(key) > secretBytesMax {
		return Secret{}, fmt.Errorf("webhook: a secret has %d to %d bytes", secretBytesMin, secretBytesMax)
	}
	return Secret{key}, nil
}

// Reveal returns the secret's text, "whsec_…".
func (s Secret) Reveal() string { return secretPrefix + base64.StdEncoding.EncodeToString(s.key) }

// String hides the secret.
func (s Secret) String() string { return secretPrefix + "(hidden)" }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// IsZero reports whether there is no secret. Nothing can be signed or verified
// with it.
func (s Secret) IsZero() bool { return len(s.key) == 0 }

func (s Secret) mac(id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(id))
	h.Write([]byte{'.'})
	h.Write([]byte(timestamp))
	h.Write([]byte{'.'})
	h.Write(body)
	return h.Sum(nil)
}

// Sign returns the headers of one attempt under Standard Webhooks 1.0: id is the
// event's and the same on every attempt, at is this attempt's. While a secret is
// being rolled the old and the new one sign both. Panics without a secret: an
// unsigned message must not leave.
func Sign(id string, at time.Time, body []byte, secrets ...Secret) http.Header {
	if len(secrets) == 0 {
		panic("webhook: nothing to sign with")
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		if secret.IsZero() {
			panic("webhook: signing with the zero secret")
		}
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(secret.mac(id, timestamp, body))
	}
	return http.Header{
		HeaderID:        {id},
		HeaderTimestamp: {timestamp},
		HeaderSignature: {strings.Join(signatures, " ")},
	}
}

// Verify says whether a message with these headers and exactly these bytes of
// body was signed with one of secrets, not more than tolerance (5 minutes is
// usual) from now. The error is nil or wraps [ErrHeaders], [ErrTimestamp] or
// [ErrSignature]. Messages come at least once: keep each Webhook-Id for as long
// as retries last, and do nothing for one that you have seen.
//
// Without a secret nothing verifies.
func Verify(header http.Header, body []byte, secrets []Secret, tolerance time.Duration, now time.Time) error {
	id, timestamp, signatures := single(header, HeaderID), single(header, HeaderTimestamp), single(header, HeaderSignature)
	if id == "" || timestamp == "" || signatures == "" {
		return ErrHeaders
	}
	seconds, ok := digits(timestamp, 12)
	if !ok {
		return ErrHeaders
	}
	if !near(time.Unix(seconds, 0), now, tolerance) {
		return ErrTimestamp
	}
	for _, secret := range secrets {
		if secret.IsZero() {
			continue
		}
		want := secret.mac(id, timestamp, body)
		for signature := range strings.SplitSeq(signatures, " ") {
			encoded, ok := strings.CutPrefix(signature, "v1,")
			if !ok {
				continue // another scheme
			}
			got, err := base64.StdEncoding.DecodeString(encoded)
			if err == nil && hmac.Equal(got, want) {
				return nil
			}
		}
	}
	return ErrSignature
}

// SignSmartFastPay returns the value of SmartFastPay-Signature and of
// Jump-Signature: "t=<epoch milliseconds>,v1=<hex>", in this order and without
// blanks, because receivers in use read it by position.
// Panics without a secret.
func SignSmartFastPay(secret string, at time.Time, body []byte) string {
	if secret == "" {
		panic("webhook: nothing to sign with")
	}
	t := strconv.FormatInt(at.UnixMilli(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(smartFastPayMAC(secret, t, body))
}

// VerifySmartFastPay is [Verify] for the value of a SmartFastPay-Signature or
// Jump-Signature header. Schemes other than v1 are ignored.
func VerifySmartFastPay(value string, body []byte, secret string, tolerance time.Duration, now time.Time) error {
	var t string
	var signatures []string
	for part := range strings.SplitSeq(value, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == "t" && t == "":
			t = v
		case name == "t":
			return ErrHeaders
		case name == "v1":
			signatures = append(signatures, v)
		}
	}
	millis, ok := digits(t, 15)
	if !ok || len(signatures) == 0 {
		return ErrHeaders
	}
	if !near(time.UnixMilli(millis), now, tolerance) {
		return ErrTimestamp
	}
	if secret == "" {
		return ErrSignature
	}
	want := smartFastPayMAC(secret, t, body)
	for _, signature := range signatures {
		got, err := hex.DecodeString(signature)
		if err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return ErrSignature
}

func smartFastPayMAC(secret, t string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t))
	h.Write([]byte{'.'})
	h.Write(body)
	return h.Sum(nil)
}

// single returns the value of a header that occurs once, else "".
func single(header http.Header, name string) string {
	if values := header.Values(name); len(values) == 1 {
		return values[0]
	}
	return ""
}

// digits reads a number of at most so many ASCII digits and nothing else: no
// sign, no blank.
func digits(s string, most int) (n int64, ok bool) {
	if s == "" || len(s) > most {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func near(at, now time.Time, tolerance time.Duration) bool {
	return now.Sub(at).Abs() <= tolerance
}
