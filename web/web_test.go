// Package web_test builds the dashboard again, compares it with what is
// committed and embedded, and walks through it in a headless browser.
package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"giro/api"
	"giro/internal/need"
	"giro/money"
	"giro/webhook"
)

// modules installs what package-lock.json names, once per run, unless it is
// there already. Without Node, or without the registry, the test ends as in
// [need.Missing].
func modules(t *testing.T) {
	t.Helper()
	node := need.Program(t, "node")
	version, err := exec.Command(node, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	major, minor := 0, 0
	fmt.Sscanf(string(version), "v%d.%d", &major, &minor)
	if major < 20 || major == 20 && minor < 19 {
		t.Skipf("SKIPPED for want of a newer node: %s, the dashboard builds with 20.19 and later", strings.TrimSpace(string(version)))
	}
	if err := install(); err != nil {
		t.Skipf("SKIPPED for want of the npm registry: %v", err)
	}
}

var install = sync.OnceValue(func() error {
	want, err := os.ReadFile("package-lock.json")
	if err != nil {
		return err
	}
	// npm writes down what it has installed, and the stamp from which lock file.
	stamp := filepath.Join("node_modules", ".giro-lock")
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, want) {
		return nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, npm, "ci", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=30000")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %v\n%s", err, bytes.TrimSpace(out))
	}
	return os.WriteFile(stamp, want, 0o644)
})

func run(t *testing.T, env []string, name string, arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, arguments...)
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
}

// TestBuild holds that the committed build is the one of the committed source,
// and that the source fits the API as it is: its types come from there.
func TestBuild(t *testing.T) {
	modules(t)
	document := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(document, api.OpenAPI(), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, []string{"GIRO_OPENAPI=" + document}, "node", "types.mjs")
	run(t, nil, "node", filepath.Join("node_modules", "typescript", "bin", "tsc"), "--noEmit")
	run(t, nil, "node", filepath.Join("test", "text.mjs"))
	built := t.TempDir()
	run(t, nil, "node", filepath.Join("node_modules", "vite", "bin", "vite.js"), "build", "--outDir", built, "--emptyOutDir", "--logLevel", "error")
	committed := filepath.Join("..", "dash", "dist")
	want, have := tree(t, built), tree(t, committed)
	for _, name := range want {
		if !slices.Contains(have, name) {
			t.Errorf("%s is not committed; run make dash", name)
			continue
		}
		a, b := read(t, filepath.Join(built, name)), read(t, filepath.Join(committed, name))
		if !bytes.Equal(a, b) {
			t.Errorf("%s is not what web/ builds (%d bytes, a fresh build has %d); run make dash", name, len(b), len(a))
		}
	}
	for _, name := range have {
		if !slices.Contains(want, name) {
			t.Errorf("%s is not built by web/; run make dash", name)
		}
	}
}

func tree(t *testing.T, root string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// evaluates finds code that makes code of text, which the content security
// policy forbids. A method that is named so is none.
var evaluates = regexp.MustCompile(`(^|[^.\w$])(eval\(|new Function\()`)

// TestBudget holds what a first visit costs: 250 KiB of script and 25 KiB of
// style, as they travel, and nothing that is loaded from elsewhere.
func TestBudget(t *testing.T) {
	t.Parallel()
	sums := map[string]int{}
	dist := filepath.Join("..", "dash", "dist")
	for _, name := range tree(t, dist) {
		content := read(t, filepath.Join(dist, name))
		sums[filepath.Ext(name)] += compressed(t, content)
		if found := evaluates.Find(content); found != nil && filepath.Ext(name) == ".js" {
			t.Errorf("%s has %q", name, found)
		}
	}
	if sums[".js"] > 250<<10 || sums[".css"] > 25<<10 {
		t.Errorf("script %d bytes, style %d bytes, gzipped", sums[".js"], sums[".css"])
	}
	t.Logf("script %d KiB, style %d KiB, gzipped", sums[".js"]>>10, sums[".css"]>>10)
}

// TestCatalogues holds that the languages have the same keys, the same places
// in each text, and no text left empty.
func TestCatalogues(t *testing.T) {
	t.Parallel()
	catalogue := func(name string) map[string]string {
		m := map[string]string{}
		if err := json.Unmarshal(read(t, filepath.Join("src", "i18n", name+".json")), &m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return m
	}
	en := catalogue("en")
	places := func(s string) []string {
		var list []string
		for part := range strings.SplitSeq(s, "{") {
			if name, _, ok := strings.Cut(part, "}"); ok {
				list = append(list, name)
			}
		}
		slices.Sort(list)
		return list
	}
	for _, name := range []string{"pt-BR", "es-419"} {
		other := catalogue(name)
		for key, text := range en {
			if other[key] == "" {
				t.Errorf("%s lacks %s", name, key)
			} else if !slices.Equal(places(text), places(other[key])) {
				t.Errorf("%s: %s has other places than en", name, key)
			}
		}
		for key := range other {
			if en[key] == "" {
				t.Errorf("en lacks %s, which %s has", key, name)
			}
		}
	}
}

// TestActs holds that what people do to a movement has words in its timeline.
func TestActs(t *testing.T) {
	t.Parallel()
	var document struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(api.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	words := map[string]string{}
	if err := json.Unmarshal(read(t, filepath.Join("src", "i18n", "en.json")), &words); err != nil {
		t.Fatal(err)
	}
	of := regexp.MustCompile(`^/v1/(test/)?(charges|refunds|payouts|transfers)(/|$)`)
	noun := regexp.MustCompile(`(Charge|Refund|Payout|Transfer)s?$`)
	acts := 0
	for path, routes := range document.Paths {
		for method, route := range routes {
			if method == "get" || !of.MatchString(path) {
				continue
			}
			acts++
			if words["did."+noun.ReplaceAllString(route.OperationID, "")] == "" {
				t.Errorf("%s %s: %s has no words", method, path, route.OperationID)
			}
		}
	}
	if acts < 30 {
		t.Errorf("only %d acts were found", acts)
	}
}

// TestProblems holds that refusals are named here as the API names them.
func TestProblems(t *testing.T) {
	t.Parallel()
	words := map[string]string{}
	if err := json.Unmarshal(read(t, filepath.Join("src", "i18n", "en.json")), &words); err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(api.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			kind, _ := v["type"].(string)
			title, _ := v["title"].(string)
			if code, ok := strings.CutPrefix(kind, "/docs/errors/"); ok {
				seen[code] = true
				if said := words["problem."+code]; said != "" && said != title {
					t.Errorf("problem.%s is %q, the API says %q", code, said, title)
				}
			}
			for _, one := range v {
				look(one)
			}
		case []any:
			for _, one := range v {
				look(one)
			}
		}
	}
	look(document)
	if len(seen) < 20 {
		t.Errorf("only %d refusals were found", len(seen))
	}
}

// commands finds the lines of giro's command line that the pages show.
var commands = regexp.MustCompile("[`'\"]giro ([a-z][^`'\"]*)")

// TestCommands holds that the commands which the pages show are there.
func TestCommands(t *testing.T) {
	t.Parallel()
	type command struct {
		Name     string
		Commands []command
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", "../cmd/giro", "commands", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var root command
	if err := json.Unmarshal(out, &root); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range tree(t, "src") {
		if !strings.HasSuffix(name, ".tsx") {
			continue
		}
		for _, line := range commands.FindAllSubmatch(read(t, filepath.Join("src", name)), -1) {
			found++
			at := root
			for word := range strings.FieldsSeq(strings.ReplaceAll(string(line[1]), "${kind}", "charges")) {
				i := slices.IndexFunc(at.Commands, func(c command) bool { return c.Name == word })
				if i < 0 {
					if at.Name == root.Name || len(at.Commands) > 0 && word[0] >= 'a' && word[0] <= 'z' {
						t.Errorf("%s shows giro %s: there is no such command", name, line[1])
					}
					break
				}
				at = at.Commands[i]
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found", found)
	}
}

// TestCurrencies holds that the browser cuts amounts where the ledger does.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	others := map[string]int{}
	if err := json.Unmarshal(read(t, filepath.Join("src", "currencies.json")), &others); err != nil {
		t.Fatal(err)
	}
	known := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			for c := 'A'; c <= 'Z'; c++ {
				code := string([]rune{a, b, c})
				currency, err := money.ParseCurrency(code)
				if err != nil {
					if _, ok := others[code]; ok {
						t.Errorf("%s is no currency", code)
					}
					continue
				}
				known++
				digits, ok := others[code]
				if !ok {
					digits = 2
				}
				if currency.Exponent() != digits {
					t.Errorf("%s has %d decimals here and %d in the ledger", code, digits, currency.Exponent())
				}
			}
		}
	}
	if known < 100 {
		t.Fatalf("only %d currencies are known", known)
	}
}

// TestAttempts: the dashboard counts the attempts of the schedule.
func TestAttempts(t *testing.T) {
	t.Parallel()
	source := read(t, filepath.Join("src", "ui", "deliveries.tsx"))
	if want := fmt.Sprintf("\nconst attemptsMax = %d\n", webhook.Standard.Attempts()); !strings.Contains(string(source), want) {
		t.Errorf("src/ui/deliveries.tsx has no line %q", want)
	}
}

// TestBrowser runs test/browser.mjs against a giro of its own; with -short the
// pages are looked at in two of their eight guises.
func TestBrowser(t *testing.T) {
	chromium := need.Program(t, "chromium", "chromium-browser", "google-chrome")
	modules(t)
	binary := filepath.Join(t.TempDir(), "giro")
	run(t, nil, "go", "build", "-o", binary, "../cmd/giro")
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	serve := exec.CommandContext(ctx, binary, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--json", "--webhook-allow-private")
	serve.Cancel = func() error { return serve.Process.Signal(os.Interrupt) }
	serve.WaitDelay = 15 * time.Second
	var said bytes.Buffer
	serve.Stderr = &said
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		serve.Wait()
	}()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatalf("giro said nothing: %s", said.String())
	}
	first := lines.Text()
	go func() {
		for lines.Scan() {
		}
	}()
	browser := exec.CommandContext(ctx, "node", filepath.Join("test", "browser.mjs"))
	browser.Env = append(os.Environ(), "GIRO_FIRST="+first, "CHROMIUM="+chromium, "SHOTS="+os.Getenv("GIRO_SHOTS"))
	if testing.Short() {
		browser.Env = append(browser.Env, "SHORT=1")
	}
	results, err := browser.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	browser.Stderr = &complaints
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	checks := 0
	scan := bufio.NewScanner(results)
	scan.Buffer(nil, 4<<20)
	for scan.Scan() {
		line := scan.Text()
		switch {
		case strings.HasPrefix(line, "ok "):
			checks++
			t.Log(line)
		case strings.HasPrefix(line, "not ok "):
			checks++
			t.Error(strings.ReplaceAll(line, `\n`, "\n"))
		default:
			t.Log(line)
		}
	}
	if err := browser.Wait(); err != nil {
		t.Errorf("browser.mjs: %v\n%s", err, complaints.String())
	}
	// None is lost silently, unless only some were asked for.
	if checks < 10 && os.Getenv("CHECKS") == "" {
		t.Errorf("only %s checks ran", strconv.Itoa(checks))
	}
}
