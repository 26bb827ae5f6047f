package api

import (
	"net/http"

	"giro"
)

var (
	dutySchema   = oneOf(dutyNames...)
	personAnswer = &schema{kind: kindObject, name: "Person", fields: []field{
		{name: "id", schema: idOf("per")}, {name: "object", schema: oneOf("person")}, {name: "name", schema: plainText}, {name: "email", schema: plainText},
		{name: "role", schema: dutySchema}, {name: "signed_in_at", schema: null(plainText), about: "The last time."},
		{name: "created", schema: plainInteger, about: "Since when they are in the team."}, {name: "created_at", schema: answerTime},
	}}
	personBody = &schema{kind: kindObject, name: "PersonUpdate", readOnly: []string{"id", "object", "name", "email", "signed_in_at", "created", "created_at"}, fields: []field{
		{name: "role", schema: dutySchema, required: true},
	}}
	invitationAnswer = &schema{kind: kindObject, name: "Invitation", fields: []field{
		{name: "id", schema: idOf("inv")}, {name: "object", schema: oneOf("invitation")}, {name: "purpose", schema: oneOf(giro.InviteFirst, giro.InviteJoin, giro.InviteReset)},
		{name: "email", schema: null(plainText)}, {name: "role", schema: null(plainText)}, {name: "invited_by", schema: null(plainText)},
		{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "expires_at", schema: plainText},
		{name: "path", schema: plainText, optional: true, about: "Once, when it is made: the page behind this host's name that the person opens. Send it to them."},
	}}
	invitationBody = &schema{kind: kindObject, name: "InvitationCreate", readOnly: []string{"id", "object", "purpose", "invited_by", "created", "created_at", "expires_at", "path"}, fields: []field{
		{name: "email", schema: emailSchema, required: true}, {name: "role", schema: dutySchema, required: true},
	}}
	roleAnswer = &schema{kind: kindObject, name: "Role", fields: []field{
		{name: "name", schema: dutySchema}, {name: "test", schema: permissionList}, {name: "live", schema: permissionList},
	}}
)

// teamRoutes are the people of a merchant. The admin token says with
// Giro-Merchant which one it means.
var teamRoutes = []*route{
	{method: "GET", path: "/v1/roles", id: "listRoles", tag: "people", summary: "What each role may do", access: accessEither, status: 200, answer: &schema{kind: kindList, item: roleAnswer},
		handler: func(c *call) error {
			return sendList(c, giro.Duties, func(b []byte, d giro.Duty) []byte {
				a := appender{b: b}
				a.text("name", string(d))
				a.key("test")
				a.b = appendPermissions(a.b, d, false)
				a.key("live")
				a.b = appendPermissions(a.b, d, true)
				return a.close()
			})
		}},
	{method: "GET", path: "/v1/people", id: "listPeople", tag: "people", summary: "The merchant's team, the oldest first", access: accessEither, status: 200, answer: &schema{kind: kindList, item: personAnswer},
		handler: ofTeam(func(c *call, m *giro.Merchant) error {
			team, err := c.engine().Team(c.ctx, m.Number)
			if err != nil {
				return err
			}
			var places []giro.Place
			for _, one := range team {
				p, err := c.engine().PersonByID(c.ctx, one.Person)
				if err != nil {
					return err
				}
				if p != nil {
					places = append(places, giro.Place{Member: one, Person: p})
				}
			}
			return sendList(c, places, func(b []byte, p giro.Place) []byte { return appendPerson(b, p.Member, p.Person) })
		})},
	{method: "PUT", path: "/v1/people/{id}", id: "updatePerson", tag: "people", summary: "Give a person another role", access: accessEither, body: personBody, status: 200, answer: personAnswer,
		about: "Owners are made and changed by owners alone; the last one stays.", errors: []giro.Code{giro.CodeNotFound, giro.CodeLastOwner},
		handler: ofTeam(func(c *call, m *giro.Merchant) error { return changeDuty(c, m, giro.Duty(c.body.text("role"))) })},
	{method: "DELETE", path: "/v1/people/{id}", id: "deletePerson", tag: "people", summary: "Take a person out of the team", access: accessEither, status: 200, answer: messageAnswer,
		errors: []giro.Code{giro.CodeNotFound, giro.CodeLastOwner}, handler: ofTeam(func(c *call, m *giro.Merchant) error { return changeDuty(c, m, "") })},
	{method: "POST", path: "/v1/people/{id}/reset", id: "resetPerson", tag: "people", summary: "Make a link with which a person sets a new password", access: accessEither, body: emptySchema, bare: true, sealed: true, status: 201, answer: invitationAnswer,
		about: "A person who has a place at other merchants too is reset with the admin token alone: the link opens all of them.", errors: []giro.Code{giro.CodeNotFound}, handler: ofTeam(resetPerson)},
	{method: "GET", path: "/v1/invitations", id: "listInvitations", tag: "people", summary: "Open invitations, newest first", access: accessEither, status: 200, answer: &schema{kind: kindList, item: invitationAnswer},
		handler: ofTeam(func(c *call, m *giro.Merchant) error {
			list, err := c.engine().Invitations(c.ctx, m.Number)
			if err != nil {
				return err
			}
			return sendList(c, list, func(b []byte, i *giro.Invitation) []byte { return appendInvitation(b, i, "") })
		})},
	{method: "POST", path: "/v1/invitations", id: "createInvitation", tag: "people", summary: "Invite a person into the team", access: accessEither, body: invitationBody, sealed: true, status: 201, answer: invitationAnswer,
		about: "Answers the link's path this once; giro sends no mail.", errors: []giro.Code{giro.CodeConflict}, handler: ofTeam(func(c *call, m *giro.Merchant) error {
			duty := giro.Duty(c.body.text("role"))
			if duty == giro.DutyOwner && !c.byOwner() {
				return giro.Refuse(giro.CodeForbidden, "/role", "only an owner makes owners")
			}
			return c.invite(m, func() (giro.Invitation, error) {
				return giro.Invitation{Purpose: giro.InviteJoin, Email: c.body.text("email"), Duty: duty}, nil
			})
		})},
	{method: "DELETE", path: "/v1/invitations/{id}", id: "deleteInvitation", tag: "people", summary: "Withdraw an invitation", access: accessEither, status: 200, answer: messageAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: ofTeam(func(c *call, m *giro.Merchant) error {
			id, err := c.pathID("inv", "invitation")
			if err != nil {
				return err
			}
			if err := c.engine().Withdraw(c.ctx, c.teamCall(m), m.Number, id); err != nil {
				return err
			}
			return c.deleted("invitation")
		})},
}

// ofTeam makes a handler of one that works on a merchant's team.
func ofTeam(handle func(c *call, m *giro.Merchant) error) func(c *call) error {
	return func(c *call) error {
		m, err := c.teamMerchant()
		if err != nil {
			return err
		}
		return handle(c, m)
	}
}

// teamMerchant is whose team is meant.
func (c *call) teamMerchant() (*giro.Merchant, error) {
	if c.caller.Merchant != nil {
		return c.caller.Merchant, nil
	}
	id, ok := giro.ParseID("mer", c.r.Header.Get("Giro-Merchant"))
	if !ok {
		return nil, giro.Refuse(giro.CodeInvalidHeader, "Giro-Merchant", "with the admin token, send the id of the merchant")
	}
	return c.engine().MerchantByID(c.ctx, id)
}

func (c *call) teamCall(m *giro.Merchant) *giro.Call {
	g := c.giroCall(nil)
	g.Merchant = m
	return g
}

// byOwner reports whether the caller may change owners: an owner, a secret key
// without scopes, or the admin token.
func (c *call) byOwner() bool {
	if c.caller.In != nil {
		return c.caller.Duty == giro.DutyOwner
	}
	return c.caller.Admin || len(c.caller.Scopes) == 0
}

// actor names who asks, for people to read.
func (c *call) actor() string {
	switch {
	case c.caller.In != nil:
		return c.caller.In.Person.Email
	case c.caller.Admin:
		return "the admin token"
	}
	return c.caller.Key.ID("key")
}

func changeDuty(c *call, m *giro.Merchant, to giro.Duty) error {
	id, err := c.pathID("per", "person in the team")
	if err != nil {
		return err
	}
	if to == "" {
		if _, err := c.engine().ChangeDuty(c.ctx, c.teamCall(m), m.Number, id, to, c.byOwner()); err != nil {
			return err
		}
		return c.deleted("person")
	}
	return c.command(func(v any) giro.Answer {
		p := v.(*giro.Place)
		return giro.Answer{Status: http.StatusOK, Body: appendPerson(nil, p.Member, p.Person)}
	}, func(g *giro.Call) (any, error) {
		g.Merchant = m
		return c.engine().ChangeDuty(c.ctx, g, m.Number, id, to, c.byOwner())
	})
}

func resetPerson(c *call, m *giro.Merchant) error {
	id, err := c.pathID("per", "person in the team")
	if err != nil {
		return err
	}
	return c.invite(m, func() (i giro.Invitation, err error) {
		places, err := c.engine().Members(c.ctx, id)
		if err != nil {
			return i, err
		}
		var here *giro.Member
		for _, p := range places {
			if p.Number == m.Number {
				here = p
			}
		}
		switch {
		case here == nil:
			return i, missing("person in the team")
		case here.Duty == giro.DutyOwner && !c.byOwner():
			return i, giro.Refuse(giro.CodeForbidden, "", "only an owner resets the password of an owner")
		case len(places) > 1 && !c.caller.Admin:
			return i, giro.Refuse(giro.CodeForbidden, "", "this person has a place at another merchant too; the admin token resets their password")
		}
		p, err := c.engine().PersonByID(c.ctx, id)
		if err != nil {
			return i, err
		}
		if p == nil {
			return i, missing("person in the team")
		}
		return giro.Invitation{Purpose: giro.InviteReset, Email: p.Email, Person: p.ID}, nil
	})
}

// invite makes the link that plan says, of the merchant.
func (c *call) invite(m *giro.Merchant, plan func() (giro.Invitation, error)) error {
	return c.command(func(v any) giro.Answer {
		n := v.(*giro.NewInvitation)
		return giro.Answer{Status: http.StatusCreated, Body: appendInvitation(nil, n.Invitation, n.Token)}
	}, func(g *giro.Call) (any, error) {
		g.Merchant = m
		i, err := plan()
		if err != nil {
			return nil, err
		}
		i.Merchant, i.Number, i.By = m.ID, m.Number, c.actor()
		return c.engine().Invite(c.ctx, g, i)
	})
}

func appendPerson(b []byte, m *giro.Member, p *giro.Person) []byte {
	a := appender{b: b}
	a.text("id", p.ID.ID("per"))
	a.text("object", "person")
	a.text("name", p.Name)
	a.text("email", p.Email)
	a.text("role", string(m.Duty))
	a.maybe("signed_in_at", instant(p.SignedIn))
	a.created(m.Created)
	return a.close()
}

func appendInvitation(b []byte, i *giro.Invitation, token string) []byte {
	a := appender{b: b}
	a.text("id", i.ID.ID("inv"))
	a.text("object", "invitation")
	a.text("purpose", i.Purpose)
	a.maybe("email", i.Email)
	a.maybe("role", string(i.Duty))
	a.maybe("invited_by", i.By)
	a.created(i.Created)
	a.text("expires_at", instant(i.Expires))
	if token != "" {
		a.text("path", "/app/login?token="+token)
	}
	return a.close()
}
