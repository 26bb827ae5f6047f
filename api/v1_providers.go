package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"giro"
)

var (
	providerAnswer = &schema{kind: kindObject, name: "Provider", fields: []field{
		{name: "name", schema: plainText, about: "A provider, or a provider and its method.", example: "bank/pix"}, {name: "rail", schema: null(plainText), about: "What carries it in live mode; null: nothing does."},
		{name: "set", schema: flagSchema, about: "The merchant has chosen it; else it is what follows from the provider, or giro's own choice."},
	}}
	providersAnswer = &schema{kind: kindObject, name: "Providers", fields: []field{
		{name: "object", schema: oneOf("providers")}, {name: "rails", schema: &schema{kind: kindList, item: plainText}, about: "That this installation has for live mode."},
		{name: "providers", schema: &schema{kind: kindList, item: providerAnswer}},
	}}
	providersBody = &schema{kind: kindObject, name: "ProvidersUpdate", fields: []field{
		{name: "rails", required: true, schema: &schema{kind: kindMetadata, example: map[string]any{"bank/pix": "manual"}}, about: "The rail of a provider, or of provider/method; an empty value takes the choice away."},
	}}
)

// providerNames are what a rail can be chosen for.
var providerNames = func() []string {
	list := []string{"card", "mobile", "bank"}
	for _, m := range giro.BankMethods {
		list = append(list, "bank/"+m)
	}
	return list
}()

var providerRoutes = []*route{
	{method: "GET", path: "/v1/providers", id: "listProviders", tag: "providers", summary: "Which rail carries what in live mode", access: accessSecret, status: 200, answer: providersAnswer,
		about: "Test mode always uses the sandbox.", handler: func(c *call) error {
			c.sendJSON(http.StatusOK, appendProviders(c.buffer[:0], c.caller.Merchant, c.liveRails()))
			return nil
		}},
	{method: "PUT", path: "/v1/providers", id: "updateProviders", tag: "providers", summary: "Choose the rails of live mode", access: accessSecret, body: providersBody, status: 200, answer: providersAnswer,
		about: "What is on its way stays with the rail that it was given to.", errors: []giro.Code{giro.CodeInvalidValue, giro.CodePreconditionFailed}, handler: func(c *call) error {
			known := c.liveRails()
			for name, rail := range c.body.metadata("rails") {
				at := "/rails/" + strings.ReplaceAll(name, "/", "~1")
				switch {
				case !slices.Contains(providerNames, name):
					return giro.Refuse(giro.CodeInvalidValue, at, "must be one of "+strings.Join(providerNames, ", "))
				case rail == "":
				case !slices.Contains(known, rail):
					return giro.Refuse(giro.CodeInvalidValue, at, "must be one of "+strings.Join(known, ", "))
				case rail == "manual" && name == "card":
					return giro.Refuse(giro.CodeInvalidValue, at, "nobody charges a card by hand")
				}
			}
			return c.command(func(v any) giro.Answer {
				return giro.Answer{Status: http.StatusOK, Body: appendProviders(nil, v.(*giro.Merchant), known)}
			}, func(g *giro.Call) (updated any, err error) {
				c.ofMode(g, true)
				err = again(0, func() error {
					m, err := c.engine().MerchantByID(c.ctx, c.caller.Merchant.ID)
					if err != nil {
						return err
					}
					rails := map[string]string{}
					maps.Copy(rails, m.Rails)
					for name, rail := range c.body.metadata("rails") {
						if rails[name] = rail; rail == "" {
							delete(rails, name)
						}
					}
					m.Rails = rails
					updated, err = c.engine().UpdateMerchant(c.ctx, g, m)
					return err
				})
				return updated, err
			})
		}},
}

// liveRails are the rails of this installation that move money.
func (c *call) liveRails() []string {
	var names []string
	for name := range c.engine().Rails {
		if name != "sandbox" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func appendProviders(b []byte, m *giro.Merchant, liveRails []string) []byte {
	a := appender{b: b}
	a.text("object", "providers")
	a.texts("rails", liveRails)
	a.key("providers")
	a.b = appendList(a.b, providerNames, func(b []byte, name string) []byte {
		provider, method, _ := strings.Cut(name, "/")
		one := appender{b: b}
		one.text("name", name)
		one.maybe("rail", m.Rail(true, provider, method))
		one.flag("set", m.Rails[name] != "")
		return one.close()
	})
	return a.close()
}
