package workload

import "slices"

// unet is the U-Net of Stable Diffusion 1.5 while it is built: Rombach et al.,
// arXiv 2112.10752, with the sizes of unet/config.json that is published with
// the weights; a picture of 512 x 512 is a latent of 64 x 64 with 4 channels,
// and 77 tokens of text come in.
type unet struct {
	*tokens
	time, text string
}

const (
	latentSide, latentChannels = 64, 4
	textTokens, textWidth      = 77, 768
	timeChannels, timeWidth    = 320, 1280
	unetHeads                  = 8
)

// sd15UNet is one step of denoising.
func sd15UNet(name string, s Sizes) (*Workload, error) {
	const ref = "arXiv 2112.10752 and unet/config.json of Stable Diffusion 1.5"
	t, _ := sequences(name, ref, Sizes{Attention: s.Attention}, 1, 0)
	t.w.Inputs = nil
	u := &unet{tokens: t}
	x := t.input("latent", 1, latentSide, latentSide, latentChannels)
	t.sizes[x] = [2]int64{latentSide, latentSide}
	u.text = t.input("text", 1, 1, textTokens, textWidth)
	u.time = t.project("time1", t.input("time", 1, 1, 1, timeChannels), 1, timeWidth, false, "swish")
	u.time = t.project("time2", u.time, 1, timeWidth, false, "swish")

	channels := []int64{320, 640, 1280, 1280}
	x = t.conv("in", x, channels[0], same(3, 1), "")
	skips, widths, k := []string{x}, []int64{channels[0]}, channels[0]
	keep := func() { skips, widths = append(skips, x), append(widths, k) }
	for i, c := range channels {
		for j := range 2 {
			x, k = u.stage(numbered(numbered("down", i)+".", j), x, k, c, i < 3), c
			keep()
		}
		if i < 3 {
			x = t.conv(numbered("down", i)+".half", x, c, same(3, 2), "")
			keep()
		}
	}
	x = u.stage("middle0", x, k, k, true)
	x = u.residual("middle1", x, k, k)
	slices.Reverse(channels)
	for i, c := range channels {
		for j := range 3 {
			id, last := numbered(numbered("up", i)+".", j), len(skips)-1
			x, k = t.join(id+".concat", x, skips[last]), k+widths[last]
			skips, widths = skips[:last], widths[:last]
			x, k = u.stage(id, x, k, c, i > 0), c
		}
		if i < 3 {
			size := t.sizes[x]
			x = t.resize(numbered("up", i)+".double", x, [2]int64{2 * size[0], 2 * size[1]})
			x = t.conv(numbered("up", i)+".conv", x, c, same(3, 1), "")
		}
	}
	x = u.group("norm", x, k, "swish")
	t.conv("out", x, latentChannels, same(3, 1), "")
	w, err := t.build()
	if err == nil && s.Batch > 1 {
		err = batched(w, s.Batch)
	}
	return w, err
}

// stage appends a residual block and, with attention, a transformer.
func (u *unet) stage(id, x string, in, out int64, attention bool) string {
	x = u.residual(id, x, in, out)
	if attention {
		x = u.transformer(id+".attention", x, out)
	}
	return x
}

// group appends a normalisation of groups of channels.
func (u *unet) group(id, x string, k int64, act string) string {
	return u.add(id, u.sizes[x], Layer{Op: Norm, Fn: "group", Const: 2 * k, Act: act}, x)
}

// residual appends two convolutions, with the time between them.
func (u *unet) residual(id, x string, in, out int64) string {
	y := u.group(id+".norm1", x, in, "swish")
	y = u.conv(id+".conv1", y, out, same(3, 1), "")
	time := u.project(id+".time.project", u.time, 1, out, false, "")
	time = u.add(id+".time.view", [2]int64{1, 1}, Layer{Op: View, N: 1, P: 1, Q: 1, K: out}, time)
	y = u.sum(id+".time", y, time)
	y = u.group(id+".norm2", y, out, "swish")
	y = u.conv(id+".conv2", y, out, same(3, 1), "")
	if in != out {
		x = u.point(id+".shortcut", x, out, "")
	}
	return u.sum(id+".add", y, x)
}

// transformer appends attention over the picture, then over the text, and a
// gated feed-forward layer.
func (u *unet) transformer(id, x string, k int64) string {
	size, h := u.sizes[x], heads{unetHeads, unetHeads, k / unetHeads}
	t := *u.tokens
	t.length, t.width = size[0]*size[1], k
	y := t.point(id+".in", u.group(id+".norm", x, k, ""), k, "")
	attend := func(id, over string, reach int64) {
		z := t.norm(id+".norm", y, "layer")
		if over == "" {
			over = z
		}
		q := t.project(id+".query", z, t.rows(), k, true, "")
		key := t.project(id+".key", over, reach, k, true, "")
		value := t.project(id+".value", over, reach, k, true, "")
		z = t.attend(id, q, key, value, h, reach)
		y = t.sum(id+".add", t.project(id+".output", z, t.rows(), k, false, ""), y)
	}
	attend(id+".self", "", t.length)
	attend(id+".text", u.text, textTokens)
	z := t.norm(id+".norm3", y, "layer")
	gate := t.project(id+".gate", z, t.rows(), 4*k, false, "gelu")
	z = t.scale(id+".gated", t.project(id+".up", z, t.rows(), 4*k, false, ""), gate)
	y = t.sum(id+".add3", t.project(id+".down", z, t.rows(), k, false, ""), y)
	y = t.add(id+".picture", size, Layer{Op: View, N: 1, P: size[0], Q: size[1], K: k}, y)
	y = u.point(id+".out", y, k, "")
	return u.sum(id+".add", y, x)
}
