package main

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"giro"
	"giro/api"
)

type helpCommands struct {
	Explain    explainCommand    `cmd:"" group:"Help" help:"Explain an error code, an exit code, or all exit codes (exit)."`
	Commands   commandsCommand   `cmd:"" group:"Help" help:"The whole tree of commands."`
	Completion completionCommand `cmd:"" group:"Help" help:"Print the completion script of a shell."`
	Complete   completeCommand   `cmd:"" hidden:"" help:"Answer the completion scripts."`
}

// exits explains the exit codes. They are stable.
var exits = []struct {
	code int
	text string
}{
	{0, "done"},
	{exitInternal, "something unexpected failed"},
	{exitUsage, "the command line is wrong, or a confirmation was refused; nothing was done"},
	{exitUnauthenticated, "not signed in, or not allowed"},
	{exitNotFound, "there is no such object"},
	{exitConflict, "a conflict: the present state does not allow it, or an idempotency key was used for something else"},
	{exitInvalid, "the request is not acceptable; the message names the field"},
	{exitDeclined, "with --wait: it is final, and the money did not move or came back"},
	{exitUnavailable, "too many requests, or giro is not available; tried several times"},
	{exitUnreachable, "giro cannot be reached, or did not answer in time; the outcome may be unknown, and the message says how to ask"},
	{exitPartial, "a part was done"},
	{exitIntegrity, "a check failed: the books do not add up, a signature is not good"},
	{exitInterrupted, "interrupted; what was sent goes on"},
}

type explainCommand struct {
	Code string `arg:"" help:"insufficient_funds, 7, exit."`
}

func (c *explainCommand) Run(t *terminal) error {
	if c.Code == "exit" {
		for _, e := range exits {
			fmt.Fprintf(t.out, "%d\t%s\n", e.code, e.text)
		}
		return nil
	}
	if n, err := strconv.Atoi(c.Code); err == nil {
		for _, e := range exits {
			if e.code == n {
				fmt.Fprintf(t.out, "exit %d: %s\n", e.code, e.text)
				return nil
			}
		}
		return exitError{exitNotFound, fmt.Errorf("giro never ends with %d", n)}
	}
	status, title, advice, ok := api.Explain(giro.Code(c.Code))
	if !ok {
		best, nearest := 4, ""
		for _, code := range api.Codes() {
			if d := distance(c.Code, string(code)); d < best {
				best, nearest = d, ": did you mean "+string(code)+"?"
			}
		}
		return exitError{exitNotFound, fmt.Errorf("there is no code %q%s", oneLine(c.Code), nearest)}
	}
	_, err := fmt.Fprintf(t.out, "%s (HTTP %d)\n%s.\n%s\n", c.Code, status, title, advice)
	return err
}

// distance is how many letters differ (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// scopes lists what a key can be restricted to.
func scopes() ([]string, error) {
	document, err := parseTree(api.OpenAPI())
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, path := range document.at("paths").members {
		for i, method := range path.names {
			tags := path.members[i].at("tags")
			security := path.members[i].at("security")
			if tags == nil || len(tags.members) == 0 || security == nil || len(security.members) == 0 {
				continue
			}
			act := ":write"
			if method == "get" {
				act = ":read"
			}
			found[tags.members[0].text] = true
			found[tags.members[0].text+act] = true
		}
	}
	var list []string
	for scope := range found {
		list = append(list, scope)
	}
	slices.Sort(list)
	return list, nil
}

type commandsCommand struct {
	JSON bool `name:"json" help:"As JSON, with every flag."`
	Tree bool `help:"As a tree; the usual form."`
}

func (c *commandsCommand) Run(t *terminal, k *kong.Context) error {
	if c.JSON {
		_, err := t.out.Write(append(describe(k.Model.Node).appendJSON(nil, "", ""), '\n'))
		return err
	}
	return writeCommands(t.out, k.Model.Node, "")
}

func visible(n *kong.Node) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(n.Children), func(c *kong.Node) bool { return c.Hidden })
}

func writeCommands(w io.Writer, n *kong.Node, indent string) error {
	for _, child := range visible(n) {
		if _, err := fmt.Fprintf(w, "%-34s %s\n", indent+usage(child), child.Help); err != nil {
			return err
		}
		if err := writeCommands(w, child, indent+"  "); err != nil {
			return err
		}
	}
	return nil
}

// usage is a command's name with its arguments.
func usage(n *kong.Node) string {
	s := n.Name
	for _, p := range n.Positional {
		name := strings.ToUpper(p.Name)
		if !p.Required {
			name = "[" + name + "]"
		}
		s += " " + name
	}
	return s
}

// describe is a command as JSON.
func describe(n *kong.Node) *tree {
	v := &tree{kind: '{'}
	word := func(s string) *tree { return &tree{kind: '"', text: s} }
	flag := func(b bool) *tree { return &tree{kind: 't', text: strconv.FormatBool(b)} }
	v.set("name", word(n.Name))
	v.set("help", word(n.Help))
	if len(n.Aliases) > 0 {
		aliases := &tree{kind: '['}
		for _, a := range n.Aliases {
			aliases.members = append(aliases.members, word(a))
		}
		v.set("aliases", aliases)
	}
	arguments, flags, commands := &tree{kind: '['}, &tree{kind: '['}, &tree{kind: '['}
	for _, p := range n.Positional {
		arguments.members = append(arguments.members, &tree{kind: '{', names: []string{"name", "help", "required"}, members: []*tree{word(p.Name), word(p.Help), flag(p.Required)}})
	}
	for _, f := range n.Flags {
		if f.Hidden || f.Name == "help" {
			continue
		}
		one := &tree{kind: '{', names: []string{"name", "help", "required", "value"}, members: []*tree{word("--" + f.Name), word(f.Help), flag(f.Required), flag(!isBool(f))}}
		if f.Short != 0 {
			one.set("short", word("-"+string(f.Short)))
		}
		if f.HasDefault && f.Default != "" {
			one.set("default", word(f.Default))
		}
		flags.members = append(flags.members, one)
	}
	for _, child := range visible(n) {
		commands.members = append(commands.members, describe(child))
	}
	if len(commands.members) > 0 {
		v.set("commands", commands)
	} else {
		v.set("arguments", arguments)
		v.set("flags", flags)
	}
	return v
}

func isBool(f *kong.Flag) bool {
	return f.IsBool() || f.Target.Kind() == reflect.Pointer && f.Target.Type().Elem().Kind() == reflect.Bool
}

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish,powershell" help:"bash, zsh, fish or powershell."`
}

// The scripts ask the binary itself, so they never go stale.
var completions = map[string]string{
	"bash": `_giro() {
  local IFS=$'\n'
  COMPREPLY=($(giro complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _giro giro
`,
	"zsh": `#compdef giro
_giro() {
  local -a found
  found=(${(f)"$(giro complete -- "${words[@]:1:CURRENT-1}" 2>/dev/null)"})
  compadd -a found
}
compdef _giro giro
`,
	"fish": `complete -c giro -f -a '(giro complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName giro -ScriptBlock {
  param($word, $ast, $position)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += '' }
  giro complete -- @words | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
`,
}

func (c *completionCommand) Run(t *terminal) error {
	_, err := io.WriteString(t.out, completions[c.Shell])
	return err
}

type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words of the line; the last one is being written."`
}

// Run prints what the last word can become.
func (c *completeCommand) Run(t *terminal, k *kong.Context) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	last := ""
	if len(words) > 0 {
		last, words = words[len(words)-1], words[:len(words)-1]
	}
	n := k.Model.Node
	for _, w := range words {
		for _, child := range n.Children {
			if child.Name == w || slices.Contains(child.Aliases, w) {
				n = child
				break
			}
		}
	}
	var found []string
	if strings.HasPrefix(last, "-") {
		for _, flags := range n.AllFlags(true) {
			for _, f := range flags {
				found = append(found, "--"+f.Name)
			}
		}
	} else {
		for _, child := range visible(n) {
			found = append(found, child.Name)
		}
		for _, p := range n.Positional {
			if p.Enum != "" {
				found = append(found, strings.Split(p.Enum, ",")...)
			}
		}
	}
	slices.Sort(found)
	for _, f := range found {
		if strings.HasPrefix(f, last) {
			if _, err := fmt.Fprintln(t.out, f); err != nil {
				return err
			}
		}
	}
	return nil
}
