// Command giro runs the payments platform: it serves the API, and looks after
// the data behind it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"giro"
	"giro/api"
)

// version is what `giro version` prints.
const version = "0.1.0"

// exitError ends the program with a code; its message was not printed yet.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }

type commands struct {
	Serve   serveCommand   `cmd:"" help:"Serve the API and run the jobs. An empty store gets its first merchant, whose keys are printed once."`
	Init    initCommand    `cmd:"" help:"Make the store and its first merchant, print the keys, and end."`
	Demo    demoCommand    `cmd:"" help:"Serve 90 days of sample data made through the real engine."`
	Verify  verifyCommand  `cmd:"" help:"Recompute the whole ledger. Exit 11 where anything does not add up."`
	Backup  backupCommand  `cmd:"" help:"Write a consistent copy of the embedded store, also while it is served."`
	Restore restoreCommand `cmd:"" help:"Put a backup into an empty data folder, and verify it."`
	OpenAPI openAPICommand `cmd:"" name:"openapi" help:"Print the OpenAPI document of the API."`
	Seed    seedCommand    `cmd:"" help:"Fill an empty store with movements, to measure how it grows."`
	Bench   benchCommand   `cmd:"" help:"Measure giro on this machine; results are JSON lines."`
	Version versionCommand `cmd:"" help:"Print the version."`

	sessionCommands
	moneyCommands
	ledgerCommands
	developCommands
	hookCommands
	adminCommands
	officeCommands
	settingCommands
	helpCommands
}

type openAPICommand struct {
	Dialect bool `help:"Of the SmartFastPay and JumpPag dialect instead of v1."`
	YAML    bool `name:"yaml" help:"As YAML."`
}

func (c *openAPICommand) Run(t *terminal) error {
	document := api.OpenAPI()
	if c.Dialect {
		document = api.SmartFastPayOpenAPI()
	}
	if c.YAML {
		v, err := parseTree(document)
		if err != nil {
			return err
		}
		document = bytes.TrimSuffix(v.appendYAML(nil, ""), []byte("\n"))
	}
	_, err := t.out.Write(append(document, '\n'))
	return err
}

type versionCommand struct{}

func (versionCommand) Run(t *terminal) error {
	_, err := fmt.Fprintln(t.out, "giro "+version)
	return err
}

func main() {
	t, stop := newTerminal()
	code := runLine(t, os.Args[1:])
	stop()
	os.Exit(code)
}

// anID is what giro ID shows: a prefix and 26 characters.
var anID = regexp.MustCompile(`^[a-z]{2,4}_[0-9a-z]{26}$`)

// exited carries kong's wish to end out of its help.
type exited int

// runLine runs one command line and returns its exit code.
func runLine(t *terminal, args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(exited)
			if !ok {
				panic(p)
			}
			code = int(e)
		}
	}()
	parser := newParser(t, args)
	args = arrange(parser.Model.Node, args)
	asJSON := asksJSON(args)
	k, err := parser.Parse(args)
	if err == nil {
		if err = k.Run(); err == nil {
			return 0
		}
		code = exitOf(t.ctx, err)
	} else {
		code = exitUsage
		var unread *kong.ParseError
		if errors.As(err, &unread) && !asJSON && strings.HasPrefix(err.Error(), "expected one of") {
			err = showGroup(unread.Context, err)
		}
	}
	report(t, err, code, asJSON)
	if !asJSON {
		if hint := otherNoun(code, args); hint != "" {
			fmt.Fprintln(t.err, hint)
		}
	}
	return code
}

// showGroup prints the help of a group of commands of which none was named, on
// standard error: kong names some of them alone.
func showGroup(k *kong.Context, err error) error {
	out := k.Stdout
	k.Stdout = k.Stderr
	defer func() { k.Stdout = out }()
	if k.PrintUsage(false) != nil {
		return err
	}
	return errors.New("say which of these commands")
}

// otherNoun says where an id belongs that was not found where it was looked for.
func otherNoun(code int, args []string) string {
	for _, arg := range args[min(1, len(args)):] {
		prefix, _, _ := strings.Cut(arg, "_")
		name := prefixes[prefix]
		if code == exitNotFound && anID.MatchString(arg) && name != "" && nouns[args[0]] != nil && nouns[args[0]] != nouns[name] {
			return arg + " is the id of a " + nouns[name].one + ": giro " + arg + " shows it"
		}
	}
	return ""
}

// newParser reads the commands' structs: of all commands, which takes as long
// as most commands themselves, or of the one that the line begins with.
func newParser(t *terminal, args []string) *kong.Kong {
	var grammar any = &commands{}
	if len(args) > 0 {
		if one, ok := commandField(reflect.TypeFor[commands](), args[0]); ok {
			grammar = reflect.New(reflect.StructOf([]reflect.StructField{{Name: one.Name, Type: one.Type, Tag: one.Tag}})).Interface()
		}
	}
	return kong.Must(grammar, kong.Name("giro"), kong.Description("A payments platform that you run yourself: charges, refunds, payouts and transfers on a double-entry ledger."),
		kong.Writers(t.out, t.err), kong.Exit(func(code int) { panic(exited(code)) }), kong.Bind(t), kong.BindToProvider(nounOf), kong.BindToProvider(verbOf),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Vars{"server": defaultServer, "outcomes": strings.Join(giro.TestOutcomes, ", ")})
}

// commandField finds a command that needs none of the others by its name.
func commandField(of reflect.Type, name string) (reflect.StructField, bool) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			if found, ok := commandField(f.Type, name); ok {
				return found, true
			}
			continue
		}
		own := f.Tag.Get("name")
		if own == "" {
			own = wordStart.ReplaceAllString(f.Name, "${1}-${2}")
		}
		whole := own == "Commands" || own == "Complete" // which look at all
		if !whole && (strings.EqualFold(own, name) || slices.Contains(strings.Split(f.Tag.Get("aliases"), ","), name)) {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)

// arrange lets a line begin with flags or with an id: flags that stand before
// the command move behind it, and an id alone is shown. giro help COMMAND and
// giro --version are what people try first.
func arrange(root *kong.Node, args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case args[0] == "--version" || args[0] == "-V":
		return []string{"version"}
	}
	var before []string
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" && args[0] != "--" && args[0] != "--help" && args[0] != "-h" {
		take := 1
		if name, _, hasValue := strings.Cut(args[0], "="); !hasValue && takesValue(root, name) {
			take = min(2, len(args))
		}
		before, args = append(before, args[:take]...), args[take:]
	}
	if len(args) > 0 && anID.MatchString(args[0]) {
		args = append([]string{"get"}, args...)
	}
	return append(slices.Clone(args), before...)
}

// takesValue reports whether any command has a flag of this name that is
// followed by a value.
func takesValue(n *kong.Node, name string) bool {
	for _, f := range n.Flags {
		if ("--"+f.Name == name || f.Short != 0 && "-"+string(f.Short) == name) && !isBool(f) {
			return true
		}
	}
	return slices.ContainsFunc(n.Children, func(c *kong.Node) bool { return takesValue(c, name) })
}

// asksJSON reports whether a line asks for JSON, for lines that cannot be read.
func asksJSON(args []string) bool {
	for i, a := range args {
		if a == "--json" || a == "-ojson" || a == "--output=json" || (a == "-o" || a == "--output") && i+1 < len(args) && args[i+1] == "json" {
			return true
		}
	}
	return false
}
