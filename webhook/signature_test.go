package webhook_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	oracle "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"

	"giro/webhook"
)

// The example of the Standard Webhooks specification.
const (
	exampleSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	exampleID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	exampleAt        = 1614265330
	exampleBody      = `{"test": 2432232314}`
	exampleSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func secret(t testing.TB, text string) webhook.Secret {
	t.Helper()
	s, err := webhook.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignIsThePublishedExample(t *testing.T) {
	t.Parallel()
	h := webhook.Sign(exampleID, time.Unix(exampleAt, 999_999_999), []byte(exampleBody), secret(t, exampleSecret))
	for name, want := range map[string]string{"webhook-id": exampleID, "webhook-timestamp": "1614265330", "webhook-signature": exampleSignature} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestSmartFastPayIsThePublishedExample(t *testing.T) {
	t.Parallel()
	body := []byte(`{"callback":true,"value":"value-field"}`)
	at := time.UnixMilli(1681235417000)
	const want = "t=1681235417000,v1=b9ffafcd16416bd11e36f877c2d7ccc71633d174f8245abc49fc2aef7e6633c8"
	got := webhook.SignSmartFastPay("my-secret", at, body)
	if got != want {
		t.Fatalf("signed %q, want %q", got, want)
	}
	v1 := strings.TrimPrefix(want, "t=1681235417000,")
	for _, row := range []struct {
		name, value, body, secret string
		late                      time.Duration
		want                      error
	}{
		{"as sent", want, string(body), "my-secret", time.Minute, nil},
		{"another scheme beside it", want + ",v0=00", string(body), "my-secret", 0, nil},
		{"blanks", "t=1681235417000, " + v1, string(body), "my-secret", 0, nil},
		{"second of two signatures", "t=1681235417000,v1=00," + v1, string(body), "my-secret", 0, nil},
		{"other body", want, string(body) + " ", "my-secret", 0, webhook.ErrSignature},
		{"other secret", want, string(body), "my-secreT", 0, webhook.ErrSignature},
		{"no secret", want, string(body), "", 0, webhook.ErrSignature},
		{"other time", strings.Replace(want, "417000", "417001", 1), string(body), "my-secret", 0, webhook.ErrSignature},
		{"six minutes old", want, string(body), "my-secret", 6 * time.Minute, webhook.ErrTimestamp},
		{"six minutes ahead", want, string(body), "my-secret", -6 * time.Minute, webhook.ErrTimestamp},
		{"two times", "t=1681235417000,t=1681235417000," + v1, string(body), "my-secret", 0, webhook.ErrHeaders},
		{"no time", v1, string(body), "my-secret", 0, webhook.ErrHeaders},
		{"no signature", "t=1681235417000", string(body), "my-secret", 0, webhook.ErrHeaders},
		{"only another scheme", "t=1681235417000,v0=00", string(body), "my-secret", 0, webhook.ErrHeaders},
		{"negative time", "t=-1681235417000," + v1, string(body), "my-secret", 0, webhook.ErrHeaders},
		{"empty", "", string(body), "my-secret", 0, webhook.ErrHeaders},
	} {
		err := webhook.VerifySmartFastPay(row.value, []byte(row.body), row.secret, 5*time.Minute, at.Add(row.late))
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	at := time.Unix(exampleAt, 0)
	mine, other := secret(t, exampleSecret), webhook.NewSecret()
	set := func(name string, values ...string) func(http.Header) {
		return func(h http.Header) { h[http.CanonicalHeaderKey(name)] = values }
	}
	for _, row := range []struct {
		name    string
		change  func(http.Header)
		body    string
		secrets []webhook.Secret
		late    time.Duration
		want    error
	}{
		{"as sent", nil, exampleBody, []webhook.Secret{mine}, 0, nil},
		{"at the edge", nil, exampleBody, []webhook.Secret{mine}, 5 * time.Minute, nil},
		{"second secret", nil, exampleBody, []webhook.Secret{other, mine}, 0, nil},
		{"second signature", set("webhook-signature", "v1,AAAA "+exampleSignature), exampleBody, []webhook.Secret{mine}, 0, nil},
		{"after another scheme", set("webhook-signature", "v1a,AAAA "+exampleSignature), exampleBody, []webhook.Secret{mine}, 0, nil},
		{"late", nil, exampleBody, []webhook.Secret{mine}, 5*time.Minute + time.Nanosecond, webhook.ErrTimestamp},
		{"early", nil, exampleBody, []webhook.Secret{mine}, -5*time.Minute - time.Nanosecond, webhook.ErrTimestamp},
		{"other body", nil, exampleBody + "\n", []webhook.Secret{mine}, 0, webhook.ErrSignature},
		{"other secret", nil, exampleBody, []webhook.Secret{other}, 0, webhook.ErrSignature},
		{"no secret", nil, exampleBody, nil, 0, webhook.ErrSignature},
		{"zero secret", nil, exampleBody, []webhook.Secret{{}}, 0, webhook.ErrSignature},
		{"other id", set("webhook-id", "msg_x"), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrSignature},
		{"other time", set("webhook-timestamp", "1614265331"), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrSignature},
		{"zero before the time", set("webhook-timestamp", "01614265330"), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrSignature},
		{"no id", set("webhook-id"), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrHeaders},
		{"two ids", set("webhook-id", exampleID, exampleID), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrHeaders},
		{"no time", set("webhook-timestamp"), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrHeaders},
		{"time with a sign", set("webhook-timestamp", "+1614265330"), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrHeaders},
		{"no signature", set("webhook-signature"), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrHeaders},
		{"truncated signature", set("webhook-signature", exampleSignature[:20]), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrSignature},
		{"empty signature", set("webhook-signature", "v1,"), exampleBody, []webhook.Secret{mine}, 0, webhook.ErrSignature},
	} {
		h := webhook.Sign(exampleID, at, []byte(exampleBody), mine)
		if row.change != nil {
			row.change(h)
		}
		err := webhook.Verify(h, []byte(row.body), row.secrets, 5*time.Minute, at.Add(row.late))
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestSecretText(t *testing.T) {
	t.Parallel()
	s := webhook.NewSecret()
	if back := secret(t, s.Reveal()); back.Reveal() != s.Reveal() {
		t.Errorf("a secret does not survive its text")
	}
	if s.Reveal() == webhook.NewSecret().Reveal() {
		t.Error("two secrets are equal")
	}
	for _, printed := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s", s, s, s, s)} {
		if strings.Contains(printed, s.Reveal()[6:20]) {
			t.Errorf("a secret shows itself: %s", printed)
		}
	}
	for _, bad := range []string{
		"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",        // not base64
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La\nLaSw",     // the decoder would skip it
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==",       // 22 bytes
		"whsec_" + strings.Repeat("AAAA", 21) + "AAA=", // 65 bytes
	} {
		if _, err := webhook.ParseSecret(bad); err == nil {
			t.Errorf("%q is taken for a secret", bad)
		}
	}
}

func TestSigningWithoutASecretPanics(t *testing.T) {
	t.Parallel()
	for name, sign := range map[string]func(){
		"none":         func() { webhook.Sign("evt_1", time.Unix(1, 0), nil) },
		"zero":         func() { webhook.Sign("evt_1", time.Unix(1, 0), nil, webhook.Secret{}) },
		"smartfastpay": func() { webhook.SignSmartFastPay("", time.Unix(1, 0), nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: signed with nothing", name)
				}
			}()
			sign()
		}()
	}
}

// The specification's own library accepts what we sign, while a secret is being
// rolled too, and we accept what it signs.
func TestAgreesWithTheReferenceLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		old, fresh := webhook.NewSecret(), webhook.NewSecret()
		id := rapid.StringMatching(`evt_[0-9a-z]{1,26}`).Draw(t, "id")
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		now := time.Now()
		h := webhook.Sign(id, now, body, fresh, old)
		for _, s := range []webhook.Secret{old, fresh} {
			theirs, err := oracle.NewWebhook(s.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			if err := theirs.Verify(body, h); err != nil {
				t.Fatalf("the library refuses ours: %v", err)
			}
			signature, err := theirs.Sign(id, now, body)
			if err != nil {
				t.Fatal(err)
			}
			h := h.Clone()
			h.Set("webhook-signature", signature)
			if err := webhook.Verify(h, body, []webhook.Secret{s}, time.Minute, now); err != nil {
				t.Fatalf("we refuse the library's: %v", err)
			}
		}
	})
}

// Whatever the headers are, only our own signature is accepted.
func FuzzVerify(f *testing.F) {
	f.Add(exampleID, "1614265330", exampleSignature, exampleBody, "t=1614265330000,v1=00")
	f.Add("", "", "", "", "")
	f.Add("a.b", "1", "v1, v1,=", "\xff", "t=,v1=,t=1")
	s, err := webhook.ParseSecret(exampleSecret)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(exampleAt, 0)
	f.Fuzz(func(t *testing.T, id, timestamp, signature, body, smartFastPay string) {
		h := http.Header{}
		h.Set("webhook-id", id)
		h.Set("webhook-timestamp", timestamp)
		h.Set("webhook-signature", signature)
		err := webhook.Verify(h, []byte(body), []webhook.Secret{s}, time.Hour, now)
		if err == nil {
			var seconds int64
			fmt.Sscan(timestamp, &seconds)
			ours := webhook.Sign(id, time.Unix(seconds, 0), []byte(body), s).Get("webhook-signature")
			if !strings.Contains(signature, strings.TrimRight(ours, "=")[:40]) {
				t.Errorf("accepted %q, ours is %q", signature, ours)
			}
		}
		if webhook.VerifySmartFastPay(smartFastPay, []byte(body), "my-secret", time.Hour, now) == nil {
			_, after, _ := strings.Cut(smartFastPay, "t=")
			var millis int64
			fmt.Sscan(strings.SplitN(after, ",", 2)[0], &millis)
			ours := webhook.SignSmartFastPay("my-secret", time.UnixMilli(millis), []byte(body))
			if v1 := ours[strings.Index(ours, "v1="):]; !strings.Contains(strings.ToLower(smartFastPay), v1) {
				t.Errorf("accepted %q, ours is %q", smartFastPay, ours)
			}
		}
	})
}
