-- The same in Redis, as shops write it. KEYS: what remains of the policy, its users.
-- ARGV: the user. 1: issued; 0: sold out; -1: the user has one already.
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then
	return -1
end
if tonumber(redis.call('GET', KEYS[1]) or '0') <= 0 then
	return 0
end
redis.call('DECR', KEYS[1])
redis.call('SADD', KEYS[2], ARGV[1])
return 1
