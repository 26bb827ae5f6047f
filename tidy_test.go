package giro_test

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules that hold this repository together, as tests: who may import whom,
// what stays pure, what is documented, what is not called what.

// imports says which packages of giro each one may import, outside its tests.
// What is not listed may import nothing of giro. Siblings (api, store, rail,
// webhook, dash) never meet: only cmd/giro knows everyone.
var imports = map[string][]string{
	"money":   {},
	"ledger":  {"money"},
	"bank":    {"money"},
	".":       {"money", "ledger", "bank"},
	"store":   {".", "money", "ledger", "bank"},
	"rail":    {".", "money", "ledger", "bank"},
	"webhook": {".", "money", "ledger", "bank"},
	"api":     {".", "money", "ledger", "bank"},
	"dash":    {".", "money", "ledger", "bank"},
	"client":  {".", "money", "bank"},

	"internal/bench":     {".", "money", "bank", "store", "rail"},
	"internal/need":      {},
	"internal/pgtest":    {"internal/need"},
	"internal/storetest": {".", "store", "internal/pgtest"},
	"internal/webscript": {"internal/need"},
	"internal/sim":       {".", "money", "ledger", "bank", "store", "rail"},

	"cmd/giro": nil, // everyone
}

// pure packages do no I/O, read no clock and use no floats, so that a test, a
// simulation and the server run the same code.
var pure = []string{".", "money", "ledger", "bank"}

// pureModules are the ones outside the standard library that keep to the same
// rule.
var pureModules = []string{"rsc.io/qr/coding", "golang.org/x/crypto/argon2", "golang.org/x/text/unicode/norm"}

// outside are the packages of the standard library through which a program
// reaches the world.
var outside = regexp.MustCompile(`^(os|os/.*|net|net/http|net/http/.*|net/rpc|net/smtp|syscall|database/.*|log|log/.*|io/ioutil|plugin|math/rand|math/rand/v2|testing|testing/.*)$`)

// clocks are the functions of package time that read the clock or wait for it
// without anyone being able to wake them.
var clocks = []string{"Now", "Since", "Until", "Sleep", "Tick"}

// goFile is one file of the module.
type goFile struct {
	path   string // slash-separated, from the root
	dir    string // "." for the root
	test   bool
	syntax *ast.File
	source []byte
}

var fset = token.NewFileSet()

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	for _, name := range moduleFiles(t, ".go") {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		syntax, err := parser.ParseFile(fset, name, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		slash := filepath.ToSlash(name)
		files = append(files, goFile{slash, path.Dir(slash), strings.HasSuffix(name, "_test.go"), syntax, source})
	}
	if len(files) < 5 {
		t.Fatalf("only %d Go files found", len(files))
	}
	return files
}

// moduleFiles lists the files of this module with this extension.
func moduleFiles(t *testing.T, ext string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); base == ".git" || base == "node_modules" || base == "testdata" {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != "." {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if filepath.Ext(name) == ext {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTidyImports(t *testing.T) {
	t.Parallel()
	for _, file := range goFiles(t) {
		if file.test {
			continue // a test may stand on the real store, rail and server
		}
		allowed, known := imports[file.dir]
		if !known {
			t.Errorf("%s: package %s is not in the list of who may import whom", file.path, file.dir)
			continue
		}
		for _, spec := range file.syntax.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			at := fset.Position(spec.Pos())
			inside, ours := strings.CutPrefix(name, "giro/")
			if name == "giro" {
				inside, ours = ".", true
			}
			if ours && allowed != nil && !slices.Contains(allowed, inside) {
				t.Errorf("%s: %s may not import %s", at, file.dir, name)
			}
			if !ours && slices.Contains(pure, file.dir) {
				if outside.MatchString(name) {
					t.Errorf("%s: %s is pure, and %s reaches the world", at, file.dir, name)
				}
				if strings.Contains(strings.Split(name, "/")[0], ".") && !slices.Contains(pureModules, name) {
					t.Errorf("%s: %s may not stand on %s", at, file.dir, name)
				}
			}
		}
	}
}

func TestTidyPure(t *testing.T) {
	t.Parallel()
	for _, file := range goFiles(t) {
		if file.test || !slices.Contains(pure, file.dir) {
			continue
		}
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if n.Kind == token.FLOAT || n.Kind == token.IMAG {
					t.Errorf("%s: money knows no floats", fset.Position(n.Pos()))
				}
			case *ast.Ident:
				if n.Name == "float32" || n.Name == "float64" || n.Name == "complex128" {
					t.Errorf("%s: money knows no %s", fset.Position(n.Pos()), n.Name)
				}
			case *ast.SelectorExpr:
				from, ok := n.X.(*ast.Ident)
				if !ok {
					return true
				}
				if from.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
					t.Errorf("%s: time.%s: the clock belongs to the caller", fset.Position(n.Pos()), n.Sel.Name)
				}
				if (from.Name == "math" || from.Name == "big" || from.Name == "strconv") && strings.Contains(n.Sel.Name, "Float") {
					t.Errorf("%s: money knows no floats", fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

func TestTidyFormat(t *testing.T) {
	t.Parallel()
	for _, file := range goFiles(t) {
		formatted, err := format.Source(file.source)
		if err != nil || !bytes.Equal(formatted, file.source) {
			t.Errorf("%s: not as gofmt writes it (%v)", file.path, err)
		}
	}
}

// Words that say nothing about what a package is for.
var empty = []string{"util", "utils", "common", "helper", "helpers", "manager", "service", "services", "impl", "misc", "base", "core", "shared", "types", "models", "lib", "pkg"}

func TestTidyNames(t *testing.T) {
	t.Parallel()
	interfacePrefix := regexp.MustCompile(`^I[A-Z][a-z]`)
	getter := regexp.MustCompile(`^Get[A-Z]|^Get$`)
	for _, file := range goFiles(t) {
		for _, part := range strings.Split(strings.TrimSuffix(file.path, ".go"), "/") {
			for _, word := range strings.Split(strings.TrimSuffix(part, "_test"), "_") {
				if slices.Contains(empty, word) {
					t.Errorf("%s: %q says nothing: name it for what it does", file.path, word)
				}
			}
		}
		for _, decl := range file.syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if getter.MatchString(decl.Name.Name) {
					t.Errorf("%s: %s: no Get prefix", fset.Position(decl.Pos()), decl.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					spec, ok := spec.(*ast.TypeSpec)
					if !ok {
						continue
					}
					if _, isInterface := spec.Type.(*ast.InterfaceType); isInterface && interfacePrefix.MatchString(spec.Name.Name) {
						t.Errorf("%s: %s: no I prefix", fset.Position(spec.Pos()), spec.Name.Name)
					}
				}
			}
		}
	}
}

// Every package, exported type and exported function says what it promises.
func TestTidyDocComments(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, file := range goFiles(t) {
		if file.test || file.syntax.Name.Name == "main" {
			continue
		}
		documented[file.dir] = documented[file.dir] || file.syntax.Doc != nil
		for _, decl := range file.syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				// Methods side by side may share one comment, which the parser gives to the first.
				if decl.Name.IsExported() && decl.Doc == nil && decl.Recv == nil {
					t.Errorf("%s: %s has no doc comment", fset.Position(decl.Pos()), decl.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					if spec, ok := spec.(*ast.TypeSpec); ok && spec.Name.IsExported() && decl.Doc == nil && spec.Doc == nil {
						t.Errorf("%s: %s has no doc comment", fset.Position(spec.Pos()), spec.Name.Name)
					}
				}
			}
		}
	}
	for dir, has := range documented {
		if !has {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

// Clients branch on codes, so every code has its line in docs/errors.md, and
// the page names none that does not exist.
func TestTidyCodesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		if documented[row[1]] {
			t.Errorf("docs/errors.md lists %s twice", row[1])
		}
		documented[row[1]] = true
	}
	codes := map[string]bool{}
	for _, file := range goFiles(t) {
		if file.dir != "." || file.test {
			continue
		}
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
				return true
			}
			for _, value := range spec.Values {
				if text, ok := value.(*ast.BasicLit); ok && text.Kind == token.STRING {
					code, err := strconv.Unquote(text.Value)
					if err != nil {
						t.Fatal(err)
					}
					codes[code] = true
				}
			}
			return true
		})
	}
	if len(codes) < 50 {
		t.Fatalf("only %d codes found", len(codes))
	}
	for code := range codes {
		if !documented[code] {
			t.Errorf("docs/errors.md does not list %s", code)
		}
	}
	for code := range documented {
		if !codes[code] {
			t.Errorf("docs/errors.md lists %s, which no error has", code)
		}
	}
}

// Every direct dependency says what it is for.
func TestTidyDependenciesAreDocumented(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/decisions/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if strings.Contains(line, "// indirect") {
			continue
		}
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(fields) == 2 && strings.HasPrefix(fields[1], "v") && strings.Contains(fields[0], ".") && !strings.Contains(string(page), "`"+fields[0]+"`") {
			t.Errorf("docs/decisions/dependencies.md does not say what %s is for", fields[0])
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
)

// Links between the project's own pages lead somewhere, to the heading too.
func TestTidyLinks(t *testing.T) {
	t.Parallel()
	for _, name := range moduleFiles(t, ".md") {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(source), ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") {
				continue // the world's links are the world's
			}
			file := name
			if target != "" {
				file = filepath.Join(filepath.Dir(name), filepath.FromSlash(target))
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Errorf("%s: the link to %s is dead", name, m[1])
				continue
			}
			if anchor == "" || info.IsDir() || filepath.Ext(file) != ".md" {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var anchors []string
			for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
				anchors = append(anchors, slug(h[1]))
			}
			if !slices.Contains(anchors, anchor) {
				t.Errorf("%s: %s has no heading %q", name, file, anchor)
			}
		}
	}
}

// slug is the anchor that Markdown viewers give a heading.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 0x7f:
			b.WriteRune(r)
		}
	}
	return b.String()
}
