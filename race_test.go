//go:build race

package giro_test

// slower is how many times less a test does under the race detector.
const slower = 5
