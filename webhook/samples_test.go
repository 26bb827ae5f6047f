package webhook_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"giro/internal/need"
	"giro/webhook"
)

// The samples that receivers copy from docs/webhooks-verify.md, run as they
// stand there: each must accept what giro signs and nothing else.
func TestReceiversSamples(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/webhooks-verify.md")
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```").FindAllSubmatch(page, -1) {
		samples[string(m[1])] += string(m[2])
	}
	// Each program takes the secret and the headers as arguments, the body on its
	// standard input, and prints what verify says.
	for _, row := range []struct {
		language, program, file string
		before, after           string
	}{
		{"go", "go", "main.go", "package main\n", `
func main() {
	body, _ := io.ReadAll(os.Stdin)
	fmt.Println(verify(os.Args[1], os.Args[2], os.Args[3], os.Args[4], body))
}
`},
		{"js", "node", "sample.js", "", `
console.log(verify(...process.argv.slice(2), require("node:fs").readFileSync(0)));
`},
		{"python", "python3", "sample.py", "", `
import sys
print(str(verify(*sys.argv[1:], sys.stdin.buffer.read())).lower())
`},
		{"php", "php", "sample.php", "<?php\n", `
echo verify($argv[1], $argv[2], $argv[3], $argv[4], stream_get_contents(STDIN)) ? "true" : "false";
`},
	} {
		t.Run(row.language, func(t *testing.T) {
			t.Parallel()
			sample := samples[row.language]
			if !strings.Contains(sample, "verify(") {
				t.Fatalf("the page has no sample in %s", row.language)
			}
			program := need.Program(t, row.program)
			if row.language == "go" {
				sample = strings.Replace(sample, "import (", "import (\n\t\"io\"\n\t\"os\"", 1)
			}
			file := filepath.Join(t.TempDir(), row.file)
			if err := os.WriteFile(file, []byte(row.before+sample+row.after), 0o600); err != nil {
				t.Fatal(err)
			}
			run := []string{program, file}
			if row.language == "go" { // once: a build for each case is slow
				binary := strings.TrimSuffix(file, ".go")
				if out, err := exec.Command(program, "build", "-o", binary, file).CombinedOutput(); err != nil {
					t.Fatalf("build: %v\n%s", err, out)
				}
				run = []string{binary}
			}
			secret, other := webhook.NewSecret(), webhook.NewSecret()
			body := []byte("{\"name\":\"Zoë \u2028\",\"n\":1.0}\xff\n")
			now := time.Now()
			signed := func(at time.Time, secrets ...webhook.Secret) string {
				return webhook.Sign("evt_1", at, body, secrets...).Get(webhook.HeaderSignature)
			}
			at := strconv.FormatInt(now.Unix(), 10)
			old := now.Add(-6 * time.Minute)
			ahead := now.Add(6 * time.Minute)
			for _, c := range []struct {
				name, id, timestamp, signature string
				body                           []byte
				want                           bool
			}{
				{"as sent", "evt_1", at, signed(now, secret), body, true},
				{"while rolled", "evt_1", at, signed(now, other, secret), body, true},
				{"another scheme first", "evt_1", at, "v1a,AAAA " + signed(now, secret), body, true},
				{"other secret", "evt_1", at, signed(now, other), body, false},
				{"other body", "evt_1", at, signed(now, secret), body[:len(body)-1], false},
				{"other id", "evt_2", at, signed(now, secret), body, false},
				{"other time", "evt_1", strconv.FormatInt(now.Unix()+1, 10), signed(now, secret), body, false},
				{"old", "evt_1", strconv.FormatInt(old.Unix(), 10), signed(old, secret), body, false},
				{"ahead", "evt_1", strconv.FormatInt(ahead.Unix(), 10), signed(ahead, secret), body, false},
				{"time is no number", "evt_1", "now", signed(now, secret), body, false},
				{"no signature", "evt_1", at, "", body, false},
				{"no scheme", "evt_1", at, strings.TrimPrefix(signed(now, secret), "v1,"), body, false},
			} {
				cmd := exec.Command(run[0], append(run[1:len(run):len(run)], secret.Reveal(), c.id, c.timestamp, c.signature)...)
				cmd.Stdin = bytes.NewReader(c.body)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v\n%s", c.name, err, out)
				}
				if got := strings.TrimSpace(string(out)); got != strconv.FormatBool(c.want) {
					t.Errorf("%s: %s, want %v", c.name, got, c.want)
				}
			}
		})
	}
}
