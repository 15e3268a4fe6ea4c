package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const lockTimeout = 15 * time.Second

// lockDir takes RUNDIR for us. The children inherit the lock and hold it as long as they live, so the next
// launcher starts only when the last process of this one has let go of port and data.
func lockDir(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(lockTimeout)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || ctx.Err() != nil || time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("%s: another testapi uses this folder: %w", path, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// servingPort remembers its first answer. It lies below the ports that Linux and macOS hand to outgoing
// connections and below NodePorts, so that nobody takes it while the API server restarts.
func servingPort(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		return strconv.Atoi(strings.TrimSpace(string(b)))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for range 1000 {
		port := 20000 + rand.IntN(10000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		return port, writeFile(path, fmt.Appendln(nil, port))
	}
	return 0, errors.New("no free port between 20000 and 29999")
}

// writeFile writes a private file whole or not at all.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
