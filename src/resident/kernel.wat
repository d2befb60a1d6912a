;; The inner loops of the vector scan, in WebAssembly SIMD. `npm run kernel` assembles this file and kernel-relaxed.wat into
;; kernel-code.ts.
;;
;; Both functions score `count` rows that lie one after the other from address `rows`, each `bytes` long, against one query.
;; Of each row that scores `floor` or more they write an int32, its place among the `count`, and a float32, its score, from address
;; `out` on; there is room for all of them. They return how many there are. Rows and query are padded with zeros to 32 numbers (two
;; steps over float32, one over int8), so that there is no remainder loop. The memory is shared between threads, which each bring a
;; `query` and an `out` of their own.
(module
  (import "env" "memory" (memory 1 65536 shared))

  ;; score = Σ query[d] · row[d] over float32. Four sums, so that additions need not wait for each other.
  (func (export "scanFloats")
    (param $query i32) (param $rows i32) (param $count i32) (param $bytes i32) (param $floor f32) (param $out i32)
    (result i32)
    (local $i i32) (local $from i32) (local $score f32) (local $at i32) (local $end i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $from (local.get $out))
    (block $done
      (loop $row
        (br_if $done (i32.eq (local.get $i) (local.get $count)))
        (local.set $a (v128.const f32x4 0 0 0 0))
        (local.set $b (v128.const f32x4 0 0 0 0))
        (local.set $c (v128.const f32x4 0 0 0 0))
        (local.set $d (v128.const f32x4 0 0 0 0))
        (local.set $at (local.get $query))
        (local.set $end (i32.add (local.get $query) (local.get $bytes)))
        (loop $part
          (local.set $a (f32x4.add (local.get $a)
            (f32x4.mul (v128.load (local.get $at)) (v128.load (local.get $rows)))))
          (local.set $b (f32x4.add (local.get $b)
            (f32x4.mul (v128.load offset=16 (local.get $at)) (v128.load offset=16 (local.get $rows)))))
          (local.set $c (f32x4.add (local.get $c)
            (f32x4.mul (v128.load offset=32 (local.get $at)) (v128.load offset=32 (local.get $rows)))))
          (local.set $d (f32x4.add (local.get $d)
            (f32x4.mul (v128.load offset=48 (local.get $at)) (v128.load offset=48 (local.get $rows)))))
          (local.set $rows (i32.add (local.get $rows) (i32.const 64)))
          (br_if $part (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $end))))
        (local.set $a (f32x4.add
          (f32x4.add (local.get $a) (local.get $b))
          (f32x4.add (local.get $c) (local.get $d))))
        (local.set $score (f32.add
          (f32.add (f32x4.extract_lane 0 (local.get $a)) (f32x4.extract_lane 1 (local.get $a)))
          (f32.add (f32x4.extract_lane 2 (local.get $a)) (f32x4.extract_lane 3 (local.get $a)))))
        (i32.store (local.get $out) (local.get $i))
        (f32.store offset=4 (local.get $out) (local.get $score))
        (local.set $out (i32.add (local.get $out) (i32.shl (f32.ge (local.get $score) (local.get $floor)) (i32.const 3))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $row)))
    (i32.shr_u (i32.sub (local.get $out) (local.get $from)) (i32.const 3)))

  ;; score = scales[i] · Σ query[d] · row[d] over an int16 query and int8 rows. The sum is a 32-bit integer, exact: at 4,096 dimensions
  ;; a query up to ±4,095 cannot overflow it: 4,096 · 127 · 4,095 < 2^31.
  (func (export "scanBytes")
    (param $query i32) (param $rows i32) (param $count i32) (param $bytes i32)
    (param $scales i32) (param $sums i32) (param $floor f32) (param $out i32)
    (result i32)
    (local $i i32) (local $from i32) (local $score f32) (local $at i32) (local $end i32)
    (local $a v128) (local $b v128) (local $codes v128)
    (local.set $from (local.get $out))
    (block $done
      (loop $row
        (br_if $done (i32.eq (local.get $i) (local.get $count)))
        (local.set $a (v128.const i32x4 0 0 0 0))
        (local.set $b (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $query))
        (local.set $end (i32.add (local.get $rows) (local.get $bytes)))
        (loop $part
          (local.set $codes (v128.load (local.get $rows)))
          (local.set $a (i32x4.add (local.get $a)
            (i32x4.dot_i16x8_s (v128.load (local.get $at)) (i16x8.extend_low_i8x16_s (local.get $codes)))))
          (local.set $b (i32x4.add (local.get $b)
            (i32x4.dot_i16x8_s (v128.load offset=16 (local.get $at)) (i16x8.extend_high_i8x16_s (local.get $codes)))))
          (local.set $codes (v128.load offset=16 (local.get $rows)))
          (local.set $a (i32x4.add (local.get $a)
            (i32x4.dot_i16x8_s (v128.load offset=32 (local.get $at)) (i16x8.extend_low_i8x16_s (local.get $codes)))))
          (local.set $b (i32x4.add (local.get $b)
            (i32x4.dot_i16x8_s (v128.load offset=48 (local.get $at)) (i16x8.extend_high_i8x16_s (local.get $codes)))))
          (local.set $at (i32.add (local.get $at) (i32.const 64)))
          (br_if $part (i32.lt_u (local.tee $rows (i32.add (local.get $rows) (i32.const 32))) (local.get $end))))
        (local.set $a (i32x4.add (local.get $a) (local.get $b)))
        (local.set $score (f32.mul (f32.load (local.get $scales)) (f32.convert_i32_s (i32.add
          (i32.add (i32x4.extract_lane 0 (local.get $a)) (i32x4.extract_lane 1 (local.get $a)))
          (i32.add (i32x4.extract_lane 2 (local.get $a)) (i32x4.extract_lane 3 (local.get $a)))))))
        (local.set $scales (i32.add (local.get $scales) (i32.const 4)))
        (i32.store (local.get $out) (local.get $i))
        (f32.store offset=4 (local.get $out) (local.get $score))
        (local.set $out (i32.add (local.get $out) (i32.shl (f32.ge (local.get $score) (local.get $floor)) (i32.const 3))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $row)))
    (i32.shr_u (i32.sub (local.get $out) (local.get $from)) (i32.const 3))))
