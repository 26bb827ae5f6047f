package client

import (
	"context"
	"time"
)

// SetPause makes the client call f where it would wait.
func (c *Client) SetPause(f func(context.Context, time.Duration) error) { c.pause = f }
