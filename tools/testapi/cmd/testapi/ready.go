package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// waitReady returns once the API server says that it is ready and has made the namespaces that every
// cluster has: it makes them in the background, sometimes a little later.
func waitReady(ctx context.Context, url string, k keys, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tls, err := k.tlsConfig()
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true} // no proxy: loopback
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	for _, path := range []string{"/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system"} {
		var last error
		for {
			err := get(ctx, client, url+path)
			if err == nil {
				break
			}
			if last == nil || ctx.Err() == nil {
				last = err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("not ready within %s: %w", timeout, last)
			case <-time.After(25 * time.Millisecond):
			}
		}
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, response.Status, failedChecks(string(body)))
	}
	return err
}

// failedChecks leaves out what /readyz says of checks that passed.
func failedChecks(body string) string {
	lines := strings.Split(strings.TrimSpace(body), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "[+]") })
	return strings.Join(lines, "; ")
}
