package api

import (
	"net/http"

	"giro"
)

// bulkRoutes make many payouts or transfers with one request.
func bulkRoutes() []*route {
	var list []*route
	for _, k := range []giro.Kind{giro.KindPayout, giro.KindTransfer} {
		noun, one, name := k.Plural(), string(k), upper(string(k))
		result := &schema{kind: kindObject, name: name + "BulkResult", fields: []field{
			{name: "status", schema: plainInteger, about: "What this one alone would have been answered with: 201, 200 for a repeated reference, or that of its refusal."},
			{name: one, schema: movementAnswers[k], optional: true, about: "Where it was made."},
			{name: "error", schema: problemSchema, optional: true, about: "Where it was refused; its param points into the whole body."},
		}}
		items := listOf(movementCreates[k], 1, giro.BulkMax)
		items.each = true
		list = append(list, &route{method: "POST", path: "/v1/" + noun + "/bulk", aliases: []string{"/" + noun + "/bulk"}, id: "create" + name + "s", tag: noun,
			summary: "Create up to 1,000 " + noun + " with one request", access: accessSecret,
			about: "They are made in their order and in one commit. Each is made or refused by itself, unless atomic is true: then the first refusal is the answer and nothing is made.",
			body: &schema{kind: kindObject, name: name + "Bulk", fields: []field{
				{name: noun, schema: items, required: true},
				{name: "atomic", schema: flagSchema, about: "All or none; false if it is not sent."},
			}},
			status: 200, answer: &schema{kind: kindObject, name: name + "BulkAnswer", fields: []field{
				{name: "made", schema: plainInteger, about: "How many were made."},
				{name: "refused", schema: plainInteger, about: "How many were refused."},
				{name: "results", schema: &schema{kind: kindList, item: result}, about: "In the order of the request."},
			}},
			errors: []giro.Code{giro.CodeMissingField, giro.CodeInvalidLength, giro.CodeInsufficientFunds, giro.CodeDuplicateReference}, handler: createBulk(k)})
	}
	return list
}

func createBulk(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		elements := c.body.objects(k.Plural())
		items := make([]giro.BulkItem, len(elements))
		for i, o := range elements {
			if items[i].Err = movementCreates[k].check(o.d, o.node); items[i].Err == nil {
				items[i].Request, items[i].Err = movementRequest(k, o)
			}
		}
		rid := c.rid
		render := func(v any) giro.Answer {
			results := v.([]giro.BulkResult)
			made := 0
			b := make([]byte, 0, 64+1024*len(results))
			b = append(b, `"results":[`...)
			for i, r := range results {
				if i > 0 {
					b = append(b, ',')
				}
				a := appender{b: b}
				if r.Err != nil {
					e := giro.AsError(r.Err)
					a.number("status", int64(statusOf(e)))
					a.key("error")
					a.b = appendProblem(a.b, e, rid)
				} else {
					made++
					status := int64(http.StatusCreated)
					if r.Result.Existing {
						status = http.StatusOK
					}
					a.number("status", status)
					a.key(string(k))
					a.b = append(a.b, r.Result.JSON()...)
				}
				b = a.close()
			}
			var head appender
			head.number("made", int64(made))
			head.number("refused", int64(len(results)-made))
			body := append(append(head.b, ','), b...)
			return giro.Answer{Status: http.StatusOK, Body: append(body, "]}"...)}
		}
		return c.command(render, func(g *giro.Call) (any, error) {
			results, err := c.engine().CreateBulk(c.ctx, g, k, "/"+k.Plural(), items, c.body.flag("atomic", false))
			if err != nil {
				return nil, err
			}
			return results, nil
		})
	}
}
