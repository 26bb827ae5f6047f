package api

import (
	"slices"

	"giro"
)

// dashboardRoutes are what the dashboard's pages need beside the rest of v1.
func dashboardRoutes() []*route {
	return slices.Concat([]*route{searchRoute}, requestRoutes, figureRoutes, trafficRoutes, activityRoutes, exportRoutes, viewRoutes, auditRoutes, providerRoutes, sessionRoutes, teamRoutes)
}

// policy is what the route asks of a person; empty: nobody has decided.
func (r *route) policy() giro.Permission { return policies[r.id] }

// policies says what each route asks of a person who is signed in. What it does
// not name is closed to sessions; a test fails for a route without a line, so
// that somebody decides. API keys have scopes instead, by tag.
var policies = map[string]giro.Permission{
	// Payments and what belongs to them, read.
	"listCharges":          giro.MayReadPayments,
	"retrieveCharge":       giro.MayReadPayments,
	"timelineOfCharge":     giro.MayReadPayments,
	"attemptsOfCharge":     giro.MayReadPayments,
	"listRefunds":          giro.MayReadPayments,
	"retrieveRefund":       giro.MayReadPayments,
	"timelineOfRefund":     giro.MayReadPayments,
	"attemptsOfRefund":     giro.MayReadPayments,
	"listPayouts":          giro.MayReadPayments,
	"retrievePayout":       giro.MayReadPayments,
	"timelineOfPayout":     giro.MayReadPayments,
	"attemptsOfPayout":     giro.MayReadPayments,
	"listTransfers":        giro.MayReadPayments,
	"retrieveTransfer":     giro.MayReadPayments,
	"timelineOfTransfer":   giro.MayReadPayments,
	"listCustomers":        giro.MayReadPayments,
	"retrieveCustomer":     giro.MayReadPayments,
	"customerActivity":     giro.MayReadPayments,
	"listSources":          giro.MayReadPayments,
	"retrieveSource":       giro.MayReadPayments,
	"listEvents":           giro.MayReadPayments,
	"retrieveEvent":        giro.MayReadPayments,
	"streamEvents":         giro.MayReadPayments,
	"search":               giro.MayReadPayments,
	"figures":              giro.MayReadPayments,
	"webhookFigures":       giro.MayReadPayments, // Home shows them to everybody
	"attention":            giro.MayReadPayments,
	"countCharges":         giro.MayReadPayments,
	"countRefunds":         giro.MayReadPayments,
	"countPayouts":         giro.MayReadPayments,
	"countTransfers":       giro.MayReadPayments,
	"histogramOfCharges":   giro.MayReadPayments,
	"histogramOfRefunds":   giro.MayReadPayments,
	"histogramOfPayouts":   giro.MayReadPayments,
	"histogramOfTransfers": giro.MayReadPayments,
	"exportCharges":        giro.MayReadPayments,
	"exportRefunds":        giro.MayReadPayments,
	"exportPayouts":        giro.MayReadPayments,
	"exportTransfers":      giro.MayReadPayments,
	"exportCustomers":      giro.MayReadPayments,
	"listViews":            giro.MayReadPayments,
	"listProviders":        giro.MayReadPayments,
	"listMerchants":        giro.MayReadPayments,
	"retrieveMerchant":     giro.MayReadPayments,

	// Where the money is.
	"retrieveVerification":      giro.MayReadBalances,
	"exportEntries":             giro.MayReadBalances,
	"balances":                  giro.MayReadBalances,
	"listRates":                 giro.MayReadBalances,
	"accountTrend":              giro.MayReadBalances,
	"listAccounts":              giro.MayReadBalances,
	"retrieveAccount":           giro.MayReadBalances,
	"accountEntries":            giro.MayReadBalances,
	"listLedgerTransactions":    giro.MayReadBalances,
	"retrieveLedgerTransaction": giro.MayReadBalances,
	"trialBalance":              giro.MayReadBalances,
	"ledgerOfCharge":            giro.MayReadBalances,
	"ledgerOfRefund":            giro.MayReadBalances,
	"ledgerOfPayout":            giro.MayReadBalances,
	"ledgerOfTransfer":          giro.MayReadBalances,

	// Money in.
	"createCharge":  giro.MayCharge,
	"updateCharge":  giro.MayCharge,
	"deleteCharge":  giro.MayCharge,
	"captureCharge": giro.MayCharge,
	"cancelCharge":  giro.MayCharge,

	// Money back.
	"createRefund": giro.MayRefund,
	"updateRefund": giro.MayRefund,
	"deleteRefund": giro.MayRefund,
	"cancelRefund": giro.MayRefund,

	// Money out.
	"createPayouts": giro.MayPayOut,
	"createPayout":  giro.MayPayOut,
	"updatePayout":  giro.MayPayOut,
	"deletePayout":  giro.MayPayOut,
	"cancelPayout":  giro.MayPayOut,
	"retryPayout":   giro.MayPayOut,

	// Money inside.
	"createTransfers": giro.MayTransfer,
	"createTransfer":  giro.MayTransfer,
	"updateTransfer":  giro.MayTransfer,
	"deleteTransfer":  giro.MayTransfer,
	"reverseTransfer": giro.MayTransfer,
	"postTransfer":    giro.MayTransfer,
	"voidTransfer":    giro.MayTransfer,
	"createAccount":   giro.MayTransfer,
	"closeAccount":    giro.MayTransfer,

	// What waits for a person's word. An update to succeeded on the manual rail asks for it too.
	"releaseCharge":     giro.MayDecide,
	"confirmCharge":     giro.MayDecide,
	"failCharge":        giro.MayDecide,
	"returnCharge":      giro.MayDecide,
	"releaseRefund":     giro.MayDecide,
	"confirmRefund":     giro.MayDecide,
	"failRefund":        giro.MayDecide,
	"returnRefund":      giro.MayDecide,
	"releasePayout":     giro.MayDecide,
	"confirmPayout":     giro.MayDecide,
	"failPayout":        giro.MayDecide,
	"returnPayout":      giro.MayDecide,
	"credit_backPayout": giro.MayDecide,

	// Customers.
	"createCustomer": giro.MayKeepCustomers,
	"updateCustomer": giro.MayKeepCustomers,
	"deleteCustomer": giro.MayKeepCustomers,
	"createSource":   giro.MayKeepCustomers,
	"updateSource":   giro.MayKeepCustomers,
	"deleteSource":   giro.MayKeepCustomers,

	// For developers. A live key that may do everything is made by owners and admins alone.
	"listRequests":        giro.MayReadDevelopers,
	"requestFigures":      giro.MayReadDevelopers,
	"retrieveRequest":     giro.MayReadDevelopers,
	"listKeys":            giro.MayReadDevelopers,
	"listOAuthClients":    giro.MayReadDevelopers,
	"retrieveKey":         giro.MayReadDevelopers,
	"retrieveIdempotency": giro.MayReadDevelopers,

	"listWebhookEndpoints":    giro.MayReadDevelopers,
	"retrieveWebhookEndpoint": giro.MayReadDevelopers,
	"listDeliveries":          giro.MayReadDevelopers,
	"retrieveDelivery":        giro.MayReadDevelopers,
	"listEventDeliveries":     giro.MayReadDevelopers,

	"createWebhookEndpoint":  giro.MayDevelop,
	"updateWebhookEndpoint":  giro.MayDevelop,
	"deleteWebhookEndpoint":  giro.MayDevelop,
	"rollWebhookSecret":      giro.MayDevelop,
	"testWebhookEndpoint":    giro.MayDevelop,
	"recoverWebhookEndpoint": giro.MayDevelop,
	"countMissedEvents":      giro.MayReadDevelopers,
	"reportDelivery":         giro.MayDevelop,
	"resendEvent":            giro.MayDevelop,

	"createKey":         giro.MayDevelop,
	"createOAuthClient": giro.MayDevelop,
	"revokeOAuthClient": giro.MayDevelop,
	"rollKey":           giro.MayDevelop,
	"revokeKey":         giro.MayDevelop,

	// The sandbox.
	"testFund":        giro.MayUseSandbox,
	"testOutcome":     giro.MayUseSandbox,
	"testRailLog":     giro.MayUseSandbox,
	"testFaults":      giro.MayUseSandbox,
	"testSetFaults":   giro.MayUseSandbox,
	"testData":        giro.MayUseSandbox,
	"wipeTestData":    giro.MaySetUp,
	"testClock":       giro.MayUseSandbox,
	"testChangeClock": giro.MayUseSandbox,

	// People.
	"listPeople":      giro.MayReadTeam,
	"listInvitations": giro.MayReadTeam,

	"updatePerson":     giro.MayManageTeam,
	"deletePerson":     giro.MayManageTeam,
	"resetPerson":      giro.MayManageTeam,
	"createInvitation": giro.MayManageTeam,
	"deleteInvitation": giro.MayManageTeam,

	"createVerification": giro.MayVerify,

	// The merchant.
	"setRate":         giro.MaySetUp,
	"createRate":      giro.MaySetUp,
	"updateProviders": giro.MaySetUp,
	"listActs":        giro.MayReadAudit,
	"createView":      giro.MayShareViews,
	"updateView":      giro.MayShareViews,
	"deleteView":      giro.MayShareViews,
	"updateMerchant":  giro.MaySetUp,

	// One's own.
	"retrieveSession":   giro.MayOwn,
	"deleteSession":     giro.MayOwn,
	"listSessions":      giro.MayOwn,
	"endSession":        giro.MayOwn,
	"changePassword":    giro.MayOwn,
	"updatePreferences": giro.MayOwn,
	"listRoles":         giro.MayOwn,

	// The installation's.
	"createMerchant":      giro.MayNever,
	"deleteMerchant":      giro.MayNever,
	"putRailAccount":      giro.MayNever,
	"retrieveRailAccount": giro.MayNever,
	"deleteRailAccount":   giro.MayNever,
}
