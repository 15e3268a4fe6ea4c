//go:build !linux

package main

import "syscall"

// childAttributes: a group of its own, so that Ctrl-C in a terminal reaches the children through us and once.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
