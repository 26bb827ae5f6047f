package api

import (
	"embed"
	"encoding/json"
	"sync"
)

// exampleFiles hold an exchange of every operation, as the scripts beside them
// made it: testdata of the tests, and the examples of the OpenAPI document.
//
//go:embed examples/*.json
var exampleFiles embed.FS

// example is one exchange of an operation.
type example struct {
	Status   int             `json:"status"`
	Request  json.RawMessage `json:"request,omitempty"`  // the body; nil: none was sent
	Response json.RawMessage `json:"response,omitempty"` // nil: no JSON
}

// examples returns the recorded exchanges by operation id.
var examples = sync.OnceValue(func() map[string]example {
	all := map[string]example{}
	files, err := exampleFiles.ReadDir("examples")
	if err != nil { // embedded
		panic(err)
	}
	for _, f := range files {
		b, err := exampleFiles.ReadFile("examples/" + f.Name())
		if err == nil {
			err = json.Unmarshal(b, &all)
		}
		if err != nil { // a test reads them all
			panic("api: examples/" + f.Name() + ": " + err.Error())
		}
	}
	return all
})
