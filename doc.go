// Package giro is the domain of a payments platform: charges, refunds, payouts
// and transfers on a double-entry ledger.
//
// It decides; it does nothing else. A command names the rows it needs, a [Store]
// loads them and holds them against other writers, pure code decides, and the
// store writes all that was decided in one database transaction, after which the
// caller is answered. The package does no I/O and reads no clock: time and ids
// are given to it, so that a test, a simulation and the server run the same code.
package giro
