"""The bigrams of a case are taken by a loop whose plan a session keeps.

As a query they cost 0.15 ms a row to plan, anew in every statement that wrote one, and a hash table of 1.5 MB to tell
double ones apart, which the index does by itself. The bigrams are the same: the index stays as it is.
"""

ID = "0119"
DESCRIPTION = "bigrams of cases without planning a query each time"

STATEMENTS = (
    r"""create or replace function case_grams(words text) returns text[] language plpgsql immutable strict parallel safe
        as $$
        declare
            run text;
            found text[] := '{}';
        begin
            foreach run in array regexp_split_to_array(lower(words), '[^0-9a-z\u3400-\u9fff]+') loop
                if run <> '' then
                    for i in 1 .. greatest(length(run) - 1, 1) loop
                        found := found || substr(run, i, 2);
                    end loop;
                end if;
            end loop;
            return found;
        end $$""",
)
